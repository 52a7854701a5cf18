"""What a churning index must hold, kept the plain way."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from loadtests.questions import Vectors


@dataclass(slots=True)
class Live:
    """What the index must hold: keys and vectors, in an order that allows random picks."""

    vectors: dict[bytes, Vectors] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)
    place: dict[bytes, int] = field(default_factory=dict)
    ends: dict[bytes, float] = field(default_factory=dict)
    _order: list[tuple[float, bytes]] = field(default_factory=list)

    def put(self, key: bytes, vector: Vectors, expires_at: float) -> None:
        """Insert or replace."""
        if key not in self.vectors:
            self.place[key] = len(self.keys)
            self.keys.append(key)
        self.vectors[key] = vector
        self.ends[key] = expires_at
        heapq.heappush(self._order, (expires_at, key))

    def drop(self, key: bytes) -> None:
        """Remove."""
        del self.vectors[key], self.ends[key]
        place, last = self.place.pop(key), self.keys.pop()
        if last != key:
            self.keys[place] = last
            self.place[last] = place

    def expire(self, now: float) -> int:
        """Remove what ends at `now` or before; return how many."""
        count = len(self.keys)
        while self._order and self._order[0][0] <= now:
            expires_at, key = heapq.heappop(self._order)
            if self.ends.get(key) == expires_at:
                self.drop(key)
        return count - len(self.keys)
