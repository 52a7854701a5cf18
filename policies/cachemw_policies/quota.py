"""How much of the store each category is entitled to, and how much it must give up.

Weighted max-min fairness with floors and ceilings (Bertsekas and Gallager, Data Networks, section
6.5.2): guarantees first; what they leave rises for all that hold more, in proportion to their
priorities, until each has what it holds or its cap. So nothing stands empty while anyone wants it,
and a category that floods the store pays for it itself as soon as it is past its share. Entries and
bytes are shared each on its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cachemw_policies.category import Quota


@dataclass(frozen=True, slots=True)
class Amount:
    """Entries and bytes; `inf` as a capacity is no bound."""

    entries: float
    size: float

    def exceeds(self, other: Amount) -> bool:
        """Return whether there is more of either."""
        return self.entries > other.entries or self.size > other.size

    def times(self, factor: float) -> Amount:
        """Return so many times as much."""
        return Amount(self.entries * factor, self.size * factor)


_NOTHING = Amount(0, 0)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a category holds, and what it may have: shares of the capacity, and its weight."""

    held: Amount
    quota: Quota
    priority: float


@dataclass(frozen=True, slots=True)
class _Bounds:
    floor: float
    ceiling: float
    weight: float


def total(held: Iterable[Amount]) -> Amount:
    """Return the sum of amounts."""
    amounts = list(held)
    return Amount(sum(a.entries for a in amounts), sum(a.size for a in amounts))


def entitlements(claims: Mapping[str, Claim], capacity: Amount) -> dict[str, Amount]:
    """Return what each category may hold of `capacity`, by its name; never more than it does hold.

    They add up to `capacity`, or to less where the categories hold less or their caps bind. No
    category gets less than its guarantee while it holds that much; guarantees of more than
    everything shrink alike.
    """
    promised = max(1.0, sum(c.quota.guaranteed for c in claims.values()))
    entries = _shared(
        {n: _bounds(c, c.held.entries, capacity.entries, promised) for n, c in claims.items()},
        capacity.entries,
    )
    size = _shared(
        {n: _bounds(c, c.held.size, capacity.size, promised) for n, c in claims.items()},
        capacity.size,
    )
    return {name: Amount(entries[name], size[name]) for name in claims}


def surplus(claims: Mapping[str, Claim], high: Amount, low: Amount) -> dict[str, Amount]:
    """Return what each category must give up, by name; empty where nothing is past its mark.

    Past `high`, all give up what they hold beyond their entitlement to `low`; below it only those
    past their own cap of `high` do. The gap between both marks makes batches. It is the category
    furthest above its entitlement that gives up most.
    """
    if total(c.held for c in claims.values()).exceeds(high):
        entitled = entitlements(claims, low)
    else:
        over = {n: c for n, c in claims.items() if c.held.exceeds(_cap(c, high))}
        entitled = {n: _cap(c, low) for n, c in over.items()}
    found = {n: _beyond(claims[n].held, amount) for n, amount in entitled.items()}
    return {name: amount for name, amount in found.items() if amount.exceeds(_NOTHING)}


def _cap(claim: Claim, capacity: Amount) -> Amount:
    # A share of 0 of no bound is none; inf x 0 is not a number.
    return Amount(_share(claim.quota.cap, capacity.entries), _share(claim.quota.cap, capacity.size))


def _share(share: float, capacity: float) -> float:
    return share * capacity if share > 0 else 0.0


def _beyond(held: Amount, entitled: Amount) -> Amount:
    return Amount(max(0.0, held.entries - entitled.entries), max(0.0, held.size - entitled.size))


def _bounds(claim: Claim, held: float, capacity: float, promised: float) -> _Bounds:
    ceiling = min(held, _share(claim.quota.cap, capacity))
    floor = min(ceiling, _share(claim.quota.guaranteed / promised, capacity))
    return _Bounds(floor, ceiling, max(claim.priority, 0.0))


def _shared(bounds: Mapping[str, _Bounds], capacity: float) -> dict[str, float]:
    """Share one kind of capacity."""
    floors = sum(b.floor for b in bounds.values())
    filled = _filled({n: b for n, b in bounds.items() if b.weight > 0}, max(0.0, capacity - floors))
    # What has no weight gets what all others leave.
    left = capacity - floors - sum(filled[n] - bounds[n].floor for n in filled)
    rest = {n: _Bounds(b.floor, b.ceiling, 1.0) for n, b in bounds.items() if n not in filled}
    return filled | _filled(rest, max(0.0, left))


def _filled(bounds: Mapping[str, _Bounds], left: float) -> dict[str, float]:
    """Let all rise from their floors, by weight, until they are full or nothing is left."""
    filled = {}
    weight = sum(b.weight for b in bounds.values())
    # Those that are full first come first, so that what they leave goes to the others.
    for name, b in sorted(bounds.items(), key=lambda n: (n[1].ceiling - n[1].floor) / n[1].weight):
        part = left * (b.weight / weight) if weight > b.weight else left
        rise = min(b.ceiling - b.floor, part)
        filled[name] = b.floor + rise
        left -= rise
        weight -= b.weight
    return filled
