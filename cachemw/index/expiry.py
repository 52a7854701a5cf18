"""Which entry ends next: an indexed binary heap (Sedgewick & Wayne, Algorithms, section 2.4)."""

from __future__ import annotations

import math
from array import array

_ABSENT = -1


class ExpiryHeap:
    """Small numbers ordered by a time. Holds as many items as there are: a removed one is gone.

    A heap of tuples would keep what was replaced until its time comes, without bound. Four arrays
    also mean no object an entry, for which the garbage collector would have to look.
    """

    def __init__(self) -> None:
        self._times = array("d")  # by entry
        self._place = array("i")  # by entry: its position in the heap
        self._heap = array("i")  # entries

    def __len__(self) -> int:
        return len(self._heap)

    def time(self, entry: int) -> float:
        """Return the time of an entry that is in the heap."""
        return self._times[entry]

    def first(self) -> tuple[float, int] | None:
        """Return the earliest time and its entry; None where there is none."""
        if not self._heap:
            return None
        return self._times[self._heap[0]], self._heap[0]

    def push(self, entry: int, time: float) -> None:
        """Insert an entry that is not in the heap. Not-a-number is taken as the earliest time."""
        while entry >= len(self._place):
            self._times.append(0.0)
            self._place.append(_ABSENT)
        self._times[entry] = -math.inf if math.isnan(time) else time
        self._heap.append(entry)
        self._rise(len(self._heap) - 1)

    def remove(self, entry: int) -> None:
        """Take out an entry that is in the heap."""
        position = self._place[entry]
        self._place[entry] = _ABSENT
        last = self._heap.pop()
        if last != entry:
            self._heap[position] = last
            self._rise(position)
            self._sink(self._place[last])

    def _rise(self, position: int) -> None:
        heap, place, times = self._heap, self._place, self._times
        entry = heap[position]
        time = times[entry]
        while position:
            parent = (position - 1) >> 1
            above = heap[parent]
            if times[above] <= time:
                break
            heap[position] = above
            place[above] = position
            position = parent
        heap[position] = entry
        place[entry] = position

    def _sink(self, position: int) -> None:
        heap, place, times = self._heap, self._place, self._times
        entry, count = heap[position], len(self._heap)
        time = times[entry]
        while (child := 2 * position + 1) < count:
            if child + 1 < count and times[heap[child + 1]] < times[heap[child]]:
                child += 1
            below = heap[child]
            if times[below] >= time:
                break
            heap[position] = below
            place[below] = position
            position = child
        heap[position] = entry
        place[entry] = position
