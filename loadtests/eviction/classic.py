"""Policies from textbooks, exact: one victim at a time.

W-TinyLFU after Einziger, Friedman and Manes (2017, "TinyLFU: A Highly Efficient Cache Admission
Policy"), with exact counters in place of its sketch, which flatters it a little.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol


class Policy(Protocol):
    """A cache that holds items up to a number of bytes."""

    def ask(self, item: int) -> bool:
        """Return whether the item is there; if not it is put, and may go again at once."""


class Unbounded:
    """Keeps everything: what no bounded cache can exceed."""

    def __init__(self) -> None:
        self._held: set[int] = set()

    def ask(self, item: int) -> bool:
        """Return whether it has been asked for before."""
        if item in self._held:
            return True
        self._held.add(item)
        return False


class Lru:
    """Gives up what was not used for longest."""

    def __init__(self, sizes: Sequence[float], capacity: float) -> None:
        self._sizes = sizes
        self._room = capacity
        self._held: OrderedDict[int, None] = OrderedDict()

    def ask(self, item: int) -> bool:
        """Look it up, and put it where it is absent."""
        if item in self._held:
            self._held.move_to_end(item)
            return True
        self._held[item] = None
        self._room -= self._sizes[item]
        while self._room < 0:
            self._room += self._sizes[self._held.popitem(last=False)[0]]
        return False


class Lfu:
    """Gives up what was used least often since it came, the longest unused of those."""

    def __init__(self, sizes: Sequence[float], capacity: float) -> None:
        self._sizes = sizes
        self._room = capacity
        self._counts: dict[int, int] = {}
        #: Uses and time of the use as they were when this was pushed; at most one slot an item is
        #: kept, and renewed when it comes up and has been used since.
        self._heap: list[tuple[int, int, int]] = []
        self._used: dict[int, int] = {}
        self._clock = 0

    def ask(self, item: int) -> bool:
        """Look it up, and put it where it is absent."""
        self._clock += 1
        if item in self._counts:
            self._counts[item] += 1
            self._used[item] = self._clock
            return True
        self._room -= self._sizes[item]
        while self._room < 0 and self._heap:
            self._drop_one()
        self._counts[item], self._used[item] = 1, self._clock
        heapq.heappush(self._heap, (1, self._clock, item))
        return False

    def _drop_one(self) -> None:
        while True:
            count, used, item = self._heap[0]
            if (count, used) == (self._counts[item], self._used[item]):
                break
            heapq.heapreplace(self._heap, (self._counts[item], self._used[item], item))
        heapq.heappop(self._heap)
        del self._counts[item], self._used[item]
        self._room += self._sizes[item]


class TinyLfu:
    """An LRU window of 1 %, then a segmented LRU.

    An item enters that if it is asked for more often than those it would push out.
    """

    def __init__(self, sizes: Sequence[float], capacity: float) -> None:
        self._sizes = sizes
        self._window: OrderedDict[int, None] = OrderedDict()
        self._probation: OrderedDict[int, None] = OrderedDict()
        self._protected: OrderedDict[int, None] = OrderedDict()
        self._window_room = max(0.01 * capacity, 2 * max(sizes))
        self._main_room = capacity - self._window_room
        self._protected_room = 0.8 * self._main_room
        self._counts: dict[int, int] = {}
        self._until_ageing = self._sample = max(100, int(10 * capacity * len(sizes) / sum(sizes)))

    def ask(self, item: int) -> bool:
        """Look it up, and put it where it is absent."""
        self._count(item)
        if item in self._window:
            self._window.move_to_end(item)
        elif item in self._protected:
            self._protected.move_to_end(item)
        elif item in self._probation:
            self._promote(item)
        else:
            self._window[item] = None
            self._window_room -= self._sizes[item]
            while self._window_room < 0:
                candidate, _ = self._window.popitem(last=False)
                self._window_room += self._sizes[candidate]
                self._admit(candidate)
            return False
        return True

    def _count(self, item: int) -> None:
        self._counts[item] = self._counts.get(item, 0) + 1
        self._until_ageing -= 1
        if not self._until_ageing:
            self._until_ageing = self._sample
            self._counts = {i: n // 2 for i, n in self._counts.items() if n > 1}

    def _promote(self, item: int) -> None:
        del self._probation[item]
        self._protected[item] = None
        self._protected_room -= self._sizes[item]
        while self._protected_room < 0:
            demoted, _ = self._protected.popitem(last=False)
            self._protected_room += self._sizes[demoted]
            self._probation[demoted] = None

    def _admit(self, candidate: int) -> None:
        wanted = self._counts.get(candidate, 0)
        while self._main_room < self._sizes[candidate]:
            if not self._probation:
                return
            victim = next(iter(self._probation))
            if self._counts.get(victim, 0) >= wanted:
                return
            del self._probation[victim]
            self._main_room += self._sizes[victim]
        self._main_room -= self._sizes[candidate]
        self._probation[candidate] = None
