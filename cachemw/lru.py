"""A least-recently-used map bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class ByteLru(Generic[V]):
    """Maps keys to values of a stated size; the sum of the sizes never passes `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self.bytes = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> V | None:
        """Return the value and make it the most recently used one."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: bytes, value: V, size: int) -> None:
        """Insert or replace; what does not fit at all is not kept."""
        self.remove(key)
        if size > self._max_bytes:
            return
        self._entries[key] = (value, size)
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, (_, evicted) = self._entries.popitem(last=False)
            self.bytes -= evicted
            self.evictions += 1

    def remove(self, key: bytes) -> bool:
        """Remove a key; returns whether it was there."""
        found = self._entries.pop(key, None)
        if found is not None:
            self.bytes -= found[1]
        return found is not None

    def clear(self) -> None:
        """Remove everything."""
        self._entries.clear()
        self.bytes = 0
