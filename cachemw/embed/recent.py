"""Remembers the vectors of recent texts, bounded by bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

_ENTRY_OVERHEAD_BYTES = 250
"""Dictionary slot, key and array headers, measured with sys.getsizeof on CPython 3.11."""


class RecentVectors:
    """Least-recently-used map from a text to its vector. Not thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        """Hold up to `max_bytes` of texts and vectors; 0 holds nothing."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def bytes_held(self) -> int:
        """Memory in use, estimated."""
        return self._bytes

    def get(self, text: str) -> NDArray[np.float32] | None:
        """Return the vector of `text` and mark it as used, or None."""
        vector = self._vectors.get(text)
        if vector is not None:
            self._vectors.move_to_end(text)
        return vector

    def put(self, text: str, vector: NDArray[np.float32]) -> None:
        """Remember `vector`, forgetting the least recently used ones to make room."""
        size = _size(text, vector)
        if size > self._max_bytes:
            return
        old = self._vectors.pop(text, None)
        if old is not None:
            self._bytes -= _size(text, old)
        self._vectors[text] = vector
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= _size(*self._vectors.popitem(last=False))


def _size(text: str, vector: NDArray[np.float32]) -> int:
    return sys.getsizeof(text) + vector.nbytes + _ENTRY_OVERHEAD_BYTES
