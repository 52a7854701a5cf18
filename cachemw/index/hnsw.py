"""Approximate search with hnswlib (Malkov & Yashunin, arXiv 1603.09320).

What hnswlib asks of its user, and this class keeps: one call at a time (its bindings release the
GIL, and a query beside an insert or a resize is a race); no query for more than there is (that
raises); removed vectors are only marked, so they are counted.
"""

from __future__ import annotations

import hnswlib
import numpy as np
from cachemw_policies.semantic import Candidate

from cachemw.index.base import VectorIndex
from cachemw.stores.base import Vector

_M = 16
_EF_CONSTRUCTION = 200
_EF = 96


class HnswIndex(VectorIndex):
    """An HNSW graph that grows as it is filled."""

    def __init__(self, dimension: int, capacity: int = 1024) -> None:
        self._graph = hnswlib.Index(space="ip", dim=dimension)
        self._graph.init_index(capacity, ef_construction=_EF_CONSTRUCTION, M=_M, random_seed=1)
        self._graph.set_ef(_EF)
        self._graph.set_num_threads(1)
        self._keys: list[bytes] = []
        self._label_of: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._label_of)

    @property
    def tombstones(self) -> int:
        """Removed vectors that a search still walks."""
        return len(self._keys) - len(self._label_of)

    def add(self, key: bytes, vector: Vector) -> None:
        """Insert; what stood under the key becomes a tombstone."""
        if len(self._keys) == self._graph.get_max_elements():
            self._graph.resize_index(2 * len(self._keys))
        label = len(self._keys)
        self._graph.add_items(vector[np.newaxis], np.array([label]))
        self.remove(key)  # after what can fail
        self._keys.append(key)
        self._label_of[key] = label

    def remove(self, key: bytes) -> bool:
        """Mark a key's vector as removed."""
        label = self._label_of.pop(key, None)
        if label is None:
            return False
        self._graph.mark_deleted(label)
        return True

    def search(self, vector: Vector, k: int) -> list[Candidate]:
        """Search the graph; a graph that cannot give `k` live neighbours gives what it can."""
        for wanted in (min(k, len(self)), 1):
            if wanted < 1:
                return []
            try:
                labels, distances = self._graph.knn_query(vector[np.newaxis], k=wanted)
            except RuntimeError:
                # Tombstones crowd out the live ones within ef; the owner rebuilds such a graph.
                continue
            pairs = zip(labels[0], distances[0], strict=True)
            return [Candidate(self._keys[label], 1.0 - float(d)) for label, d in pairs]
        return []

    def items(self) -> tuple[list[bytes], Vector]:
        """Return a copy of all live keys and their vectors, shape [len, dimension]."""
        keys = list(self._label_of)
        rows = self._graph.get_items(list(self._label_of.values())) if keys else []
        return keys, np.array(rows, dtype=np.float32).reshape(len(keys), self._graph.dim)
