"""What each category holds of the store and could hold, for the admin page and for gauges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite

from cachemw_policies.quota import Amount, Claim, entitlements

#: More than any store holds: what "everything" is where there is no bound.
_PLENTY = 1e15


@dataclass(frozen=True, slots=True)
class CategoryUse:
    """What a category holds, that as a share of the capacity, and what it could hold.

    `share` is of the bytes, or of the entries where bytes have no bound. `entitled` is what it
    would get of a full store if it wanted everything, by its quota and what the others hold;
    `entitlement` is that as a share, 1 where nothing has a bound.
    """

    held: Amount
    share: float
    entitled: Amount
    entitlement: float


def uses(claims: Mapping[str, Claim], capacity: Amount, kept: Amount) -> dict[str, CategoryUse]:
    """Return that of every category; `kept` is what of `capacity` remains after an eviction."""
    bounded = isfinite(capacity.size) or isfinite(capacity.entries)
    found = {}
    for name, claim in claims.items():
        entitled = _entitled(name, claims, kept)
        entitlement = min(1.0, _share(entitled, capacity)) if bounded else 1.0
        found[name] = CategoryUse(claim.held, _share(claim.held, capacity), entitled, entitlement)
    return found


def _share(held: Amount, capacity: Amount) -> float:
    if isfinite(capacity.size):
        return held.size / capacity.size
    return held.entries / capacity.entries  # 0 without any bound


def _entitled(name: str, claims: Mapping[str, Claim], capacity: Amount) -> Amount:
    everything = Amount(min(capacity.entries, _PLENTY), min(capacity.size, _PLENTY))
    greedy = {**claims, name: replace(claims[name], held=everything)}
    return entitlements(greedy, capacity)[name]
