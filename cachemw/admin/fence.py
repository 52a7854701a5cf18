"""Answers that were under way when their like was removed, and must not come back.

A purge removes what is stored. An upstream call that began before it may end after it, and would
store just what the purge was about: the answer of a withdrawn prompt, of a tenant that left. So
every removal leaves a fence, and what is to be stored shows when its call began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cachemw.admin.filters import EntryFacts, EntryFilter, matches


@dataclass(frozen=True, slots=True)
class _Removal:
    """`at` is monotonic; `now` is the Unix time that ages were counted from."""

    at: float
    now: float
    removed: EntryFilter


class Fence:
    """Remembers the latest removals of this process. Own design.

    Only the last `kept` are remembered one by one. Of those before, the time is: an answer whose
    call began before that is refused whatever it is, which costs one more upstream call and never
    brings back what was removed. `clock` returns Unix seconds, `monotonic` seconds of any origin.
    """

    def __init__(
        self, clock: Callable[[], float], monotonic: Callable[[], float], *, kept: int = 256
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._removals: deque[_Removal] = deque(maxlen=kept)
        self._forgotten_until = float("-inf")

    def raise_against(self, removed: EntryFilter) -> None:
        """Refuse from now on what matches `removed` and began before."""
        if len(self._removals) == self._removals.maxlen:
            self._forgotten_until = self._removals[0].at
        self._removals.append(_Removal(self._monotonic(), self._clock(), removed))

    def began(self, seconds_ago: float) -> float:
        """Return when a call began, on this fence's clock."""
        return self._monotonic() - seconds_ago

    def refuses(self, entry: EntryFacts, began: float) -> bool:
        """Whether `entry`, whose call began at `began` (monotonic), has been removed since."""
        if began <= self._forgotten_until:
            return True
        for removal in reversed(self._removals):
            if removal.at < began:
                return False
            if matches(removal.removed, entry, removal.now):
                return True
        return False
