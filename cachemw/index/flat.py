"""Exact scan: matrix products. The right index while there are few vectors."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import starmap

import numpy as np

from cachemw.index.base import Neighbour, VectorIndex
from cachemw.stores.base import Vector

_BLOCK = 1024
"""Rows of a block. Growing copies one block at most, 1.5 MB: doubling a single matrix of some
thousand rows took 24 ms of the event loop."""


class FlatIndex(VectorIndex):
    """Rows in blocks of float32, shape [_BLOCK, dimension] each.

    Most partitions hold a single conversation, so the first block starts at one row and is doubled
    until it is whole, and there are no more objects for the garbage collector to look at than
    this one.
    """

    __slots__ = ("_blocks", "_dimension", "_entries", "_row_of")

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._blocks: tuple[Vector, ...] = (np.empty((1, dimension), dtype=np.float32),)
        self._entries = np.empty(1, dtype=np.intc)
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, entry: int) -> bool:
        return entry in self._row_of

    def add(self, entry: int, vector: Vector) -> None:
        """Insert or replace."""
        count = len(self._row_of)
        row = self._row_of.get(entry, count)
        if row == len(self._entries):
            self._grow()
        # First: a vector that does not fit leaves everything as it was.
        self._blocks[row // _BLOCK][row % _BLOCK] = vector
        self._entries[row] = entry
        self._row_of[entry] = row

    def fill(self, entries: Sequence[int], vectors: Vector) -> None:
        """Become an index of these alone. `vectors` has shape [len(entries), dimension]."""
        self._row_of = {}
        for entry, vector in zip(entries, vectors, strict=True):
            self.add(entry, vector)

    def remove(self, entry: int) -> bool:
        """Remove an entry; the last row takes its place."""
        row = self._row_of.pop(entry, None)
        if row is None:
            return False
        hole, last = row, len(self._row_of)
        if hole != last:
            moved = int(self._entries[last])
            self._blocks[hole // _BLOCK][hole % _BLOCK] = self._row(last)
            self._entries[hole] = moved
            self._row_of[moved] = hole
        return True

    def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """Scan all rows."""
        count = len(self._row_of)
        similarities = self._similarities(vector, count)
        if count > k:
            top = np.argpartition(similarities, count - k)[count - k :]
        else:
            top = np.arange(count)
        ranked = top[np.argsort(-similarities[top], kind="stable")]
        pairs = zip(self._entries[ranked].tolist(), similarities[ranked].tolist(), strict=True)
        return list(starmap(Neighbour, pairs))

    def entries(self) -> array[int]:
        """Return a copy of all entries."""
        return array("i", self._entries[: len(self._row_of)].tobytes())

    def vectors(self, entries: Sequence[int]) -> Vector:
        """Return a copy of the vectors of `entries`, shape [len(entries), dimension]."""
        rows = np.empty((len(entries), self._dimension), dtype=np.float32)
        for number, entry in enumerate(entries):
            rows[number] = self._row(self._row_of[entry])
        return rows

    def _row(self, row: int) -> Vector:
        vector: Vector = self._blocks[row // _BLOCK][row % _BLOCK]
        return vector

    def _similarities(self, vector: Vector, count: int) -> Vector:
        if len(self._blocks) == 1:
            return np.asarray(self._blocks[0][:count] @ vector)
        found = np.empty(count, dtype=np.float32)
        for number, block in enumerate(self._blocks):
            part = found[number * _BLOCK : (number + 1) * _BLOCK]
            np.dot(block[: len(part)], vector, out=part)
        return found

    def _grow(self) -> None:
        """Make room: twice as much up to one block, then one more."""
        first = self._blocks[0]
        room = min(2 * len(first), _BLOCK)
        if len(first) < _BLOCK:
            larger = np.empty((room, self._dimension), dtype=np.float32)
            larger[: len(first)] = first
            self._blocks = (larger,)
        else:
            more = np.empty((_BLOCK, self._dimension), dtype=np.float32)
            self._blocks = (*self._blocks, more)
        capacity = room if len(first) < _BLOCK else len(self._entries) + _BLOCK
        entries = np.empty(capacity, dtype=np.intc)
        entries[: len(self._entries)] = self._entries
        self._entries = entries
