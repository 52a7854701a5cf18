"""Exact scan: one matrix product. The right index while there are few vectors."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import starmap

import numpy as np

from cachemw.index.base import Neighbour, VectorIndex
from cachemw.stores.base import Vector


class FlatIndex(VectorIndex):
    """Rows in one float32 matrix, shape [capacity, dimension], doubled when it is full.

    Most partitions hold a single conversation, so the matrix starts at one row, and there are no
    more objects for the garbage collector to look at than this one.
    """

    __slots__ = ("_entries", "_row_of", "_rows")

    def __init__(self, dimension: int) -> None:
        self._rows = np.empty((1, dimension), dtype=np.float32)
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
        if row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            self._entries = np.concatenate([self._entries, np.empty_like(self._entries)])
        self._rows[row] = vector  # first: a vector that does not fit leaves everything as it was
        self._entries[row] = entry
        self._row_of[entry] = row

    def fill(self, entries: Sequence[int], vectors: Vector) -> None:
        """Become an index of these alone. `vectors` has shape [len(entries), dimension]."""
        if entries:
            self._rows = np.array(vectors, dtype=np.float32)
            self._entries = np.array(entries, dtype=np.intc)
        self._row_of = {entry: row for row, entry in enumerate(entries)}

    def remove(self, entry: int) -> bool:
        """Remove an entry; the last row takes its place."""
        row = self._row_of.pop(entry, None)
        if row is None:
            return False
        hole, last = row, len(self._row_of)
        if hole != last:
            moved = int(self._entries[last])
            self._rows[hole] = self._rows[last]
            self._entries[hole] = moved
            self._row_of[moved] = hole
        return True

    def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """Scan all rows."""
        count = len(self._row_of)
        similarities = self._rows[:count] @ vector
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
        rows: Vector = self._rows[[self._row_of[entry] for entry in entries]]
        return rows
