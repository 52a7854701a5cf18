"""Exact scan: one matrix product. The right index while a partition is small."""

from __future__ import annotations

import numpy as np
from cachemw_policies.semantic import Candidate

from cachemw.index.base import VectorIndex
from cachemw.stores.base import Vector


class FlatIndex(VectorIndex):
    """Rows in one float32 matrix, shape [capacity, dimension], doubled when it is full.

    Most partitions hold a single conversation, so the matrix starts at one row.
    """

    def __init__(self, dimension: int) -> None:
        self._rows = np.empty((1, dimension), dtype=np.float32)
        self._keys: list[bytes] = []
        self._row_of: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: bytes, vector: Vector) -> None:
        """Insert or replace."""
        row = self._row_of.get(key, len(self._keys))
        if row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[row] = vector  # first: a vector that does not fit leaves everything as it was
        if row == len(self._keys):
            self._keys.append(key)
            self._row_of[key] = row

    def remove(self, key: bytes) -> bool:
        """Remove a key; the last row takes its place."""
        row = self._row_of.pop(key, None)
        if row is None:
            return False
        last = self._keys.pop()
        if last != key:
            self._rows[row] = self._rows[len(self._keys)]
            self._keys[row] = last
            self._row_of[last] = row
        return True

    def search(self, vector: Vector, k: int) -> list[Candidate]:
        """Scan all rows."""
        count = len(self._keys)
        similarities = self._rows[:count] @ vector
        if count > k:
            top = np.argpartition(similarities, count - k)[count - k :]
        else:
            top = np.arange(count)
        ranked = top[np.argsort(-similarities[top], kind="stable")]
        return [Candidate(self._keys[row], float(similarities[row])) for row in ranked]

    def items(self) -> tuple[list[bytes], Vector]:
        """Return a copy of all keys and their vectors, shape [len, dimension]."""
        return list(self._keys), self._rows[: len(self._keys)].copy()
