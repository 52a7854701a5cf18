"""How much of the store each category is entitled to, and how much it must give up.

Weighted max-min fairness with floors and ceilings (Bertsekas and Gallager, Data Networks, section
6.5.2): guarantees first; then what is in use rises for all in proportion to their priorities, until
each has what it uses or its cap; what is left after that goes to what only lies there. So nothing
stands empty while anyone wants it, a category that floods the store pays for it itself as soon as
it is past its share, and what a flood has left behind gives way when it is over. Entries and bytes
are shared each on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    """What a category holds, and what it may have: shares of the capacity, and its weight.

    `used` is the part of what it holds that is in use (own design: each entry counts as much as its
    decayed frequency, and at most once). All of it, where that is not known.
    """

    held: Amount
    quota: Quota
    priority: float
    used: Amount | None = None


@dataclass(frozen=True, slots=True)
class _Bounds:
    floor: float
    used: float
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
        {n: _bounds(c, promised, _entries, capacity) for n, c in claims.items()}, capacity.entries
    )
    size = _shared(
        {n: _bounds(c, promised, _size, capacity) for n, c in claims.items()}, capacity.size
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


def _entries(amount: Amount) -> float:
    return amount.entries


def _size(amount: Amount) -> float:
    return amount.size


def _bounds(
    claim: Claim, promised: float, kind: Callable[[Amount], float], capacity: Amount
) -> _Bounds:
    """Return what one kind of a capacity is shared by."""
    ceiling = min(kind(claim.held), _share(claim.quota.cap, kind(capacity)))
    floor = min(ceiling, _share(claim.quota.guaranteed / promised, kind(capacity)))
    used = ceiling if claim.used is None else min(ceiling, max(floor, kind(claim.used)))
    return _Bounds(floor, used, ceiling, max(claim.priority, 0.0))


def _shared(bounds: Mapping[str, _Bounds], capacity: float) -> dict[str, float]:
    """Share one kind of capacity: guarantees, then what is used, then what else is held."""
    given = _risen({n: (b.floor, b.used, b.weight) for n, b in bounds.items()}, capacity)
    return _risen({n: (given[n], b.ceiling, b.weight) for n, b in bounds.items()}, capacity)


def _risen(rises: Mapping[str, tuple[float, float, float]], capacity: float) -> dict[str, float]:
    """Let all rise from their floors; what has no weight gets what all others leave."""
    levels = {name: floor for name, (floor, _, _) in rises.items()}
    for heavy in (True, False):
        left = max(0.0, capacity - sum(levels.values()))
        levels |= _filled({n: r for n, r in rises.items() if (r[2] > 0) is heavy}, left)
    return levels


def _filled(rises: Mapping[str, tuple[float, float, float]], left: float) -> dict[str, float]:
    """Let all rise by weight until they are full or nothing is left; no weight is as any other."""
    filled = {}
    weights = {name: weight or 1.0 for name, (_, _, weight) in rises.items()}
    room = {name: ceiling - floor for name, (floor, ceiling, _) in rises.items()}
    weight = sum(weights.values())
    # Those that are full first come first, so that what they leave goes to the others.
    for name in sorted(rises, key=lambda n: room[n] / weights[n]):
        part = left * (weights[name] / weight) if weight > weights[name] else left
        rise = min(room[name], part)
        filled[name] = rises[name][0] + rise
        left -= rise
        weight -= weights[name]
    return filled
