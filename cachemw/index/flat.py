"""Exact scan: one matrix product. The right index while there are few vectors."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from cachemw.index.base import Neighbour, VectorIndex
from cachemw.stores.base import Vector


class FlatIndex(VectorIndex):
    """Rows in one float32 matrix, shape [capacity, dimension], doubled when it is full.

    Most partitions hold a single conversation, so the matrix starts at one row.
    """

    def __init__(self, dimension: int) -> None:
        self._rows = np.empty((1, dimension), dtype=np.float32)
        self._entries = array("i")
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: int) -> bool:
        return entry in self._row_of

    def add(self, entry: int, vector: Vector) -> None:
        """Insert or replace."""
        row = self._row_of.get(entry, len(self._entries))
        if row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[row] = vector  # first: a vector that does not fit leaves everything as it was
        if row == len(self._entries):
            self._entries.append(entry)
            self._row_of[entry] = row

    def remove(self, entry: int) -> bool:
        """Remove an entry; the last row takes its place."""
        row = self._row_of.pop(entry, None)
        if row is None:
            return False
        last = self._entries.pop()
        if last != entry:
            self._rows[row] = self._rows[len(self._entries)]
            self._entries[row] = last
            self._row_of[last] = row
        return True

    def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """Scan all rows."""
        count = len(self._entries)
        similarities = self._rows[:count] @ vector
        if count > k:
            top = np.argpartition(similarities, count - k)[count - k :]
        else:
            top = np.arange(count)
        ranked = top[np.argsort(-similarities[top], kind="stable")]
        return [Neighbour(self._entries[row], float(similarities[row])) for row in ranked]

    def entries(self) -> array[int]:
        """Return a copy of all entries."""
        return self._entries[:]

    def vectors(self, entries: Sequence[int]) -> Vector:
        """Return a copy of the vectors of `entries`, shape [len(entries), dimension]."""
        rows: Vector = self._rows[[self._row_of[entry] for entry in entries]]
        return rows
