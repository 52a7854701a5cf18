"""Approximate search with hnswlib (Malkov & Yashunin, arXiv 1603.09320).

What hnswlib asks of its user: one call at a time (a query beside an insert or a resize is a race),
and no query for more than there is (that raises). Its bindings release the interpreter's lock in
`add_items` and `knn_query` alone (python_bindings/bindings.cpp, 0.8.0): everything else must be
short. Removed vectors are only marked: tombstones, which a search walks and an owner has to bound.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import hnswlib
import numpy as np
from numpy.typing import NDArray

from cachemw.index.base import Neighbour, VectorIndex
from cachemw.stores.base import Vector

LIBRARY = f"hnswlib {version('hnswlib')}"
M = 24
EF_CONSTRUCTION = 100
EF = 96
_DEAD = -1
_FIRST_CAPACITY = 1024


class HnswIndex(VectorIndex):
    """An HNSW graph that grows as it is filled.

    A node's label is its position in `_entry_of`; no label is used twice, because hnswlib would
    move the node within the graph instead of making one, which costs recall. What is known of
    entries (`assign`, `release`, `resolve`) is apart from the calls into hnswlib (`insert`, `bury`,
    `query`, `vectors`): an owner may make the former on one thread and the latter, one at a time,
    on another. `add`, `remove` and `search` do both.
    """

    def __init__(self, dimension: int, capacity: int = _FIRST_CAPACITY) -> None:
        self._graph = hnswlib.Index(space="ip", dim=dimension)
        self._graph.init_index(capacity, ef_construction=EF_CONSTRUCTION, M=M, random_seed=1)
        self._configure()
        self._entry_of = array("i")
        self._label_of: dict[int, int] = {}

    def restore(self, path: Path, labels: int, label_of: Iterable[tuple[int, int]]) -> None:
        """Become the index saved at `path`, with `labels` labels, of (entry, label) pairs.

        hnswlib trusts its files: a damaged one may end the process, so verify it before. Raises
        RuntimeError for one that is no graph.
        """
        graph = hnswlib.Index(space="ip", dim=self._graph.dim)
        graph.load_index(str(path), max_elements=labels + labels // 4)
        self._graph = graph
        self._configure()
        self._entry_of = array("i", [_DEAD]) * labels
        self._label_of = {}
        for entry, label in label_of:
            self._entry_of[label] = entry
            self._label_of[entry] = label

    def _configure(self) -> None:
        """Set what hnswlib does not save."""
        self._graph.set_ef(EF)
        self._graph.set_num_threads(1)

    def __len__(self) -> int:
        return len(self._label_of)

    def __contains__(self, entry: int) -> bool:
        return entry in self._label_of

    @property
    def labels(self) -> int:
        """Labels given so far: live nodes and tombstones."""
        return len(self._entry_of)

    @property
    def tombstones(self) -> int:
        """Removed vectors that a search still walks."""
        return len(self._entry_of) - len(self._label_of)

    def add(self, entry: int, vector: Vector) -> None:
        """Insert; what stood under the entry becomes a tombstone."""
        self._graph_fits(vector)
        self.remove(entry)
        self.insert([self.assign(entry)], vector[np.newaxis])

    def remove(self, entry: int) -> bool:
        """Mark an entry's vector as removed."""
        label = self.release(entry)
        if label is None:
            return False
        self.bury([label])
        return True

    def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """Search the graph; a graph that cannot give `k` live neighbours gives what it can."""
        return self.resolve(*self.query(vector, min(k, len(self))))

    def assign(self, entry: int) -> int:
        """Return a new label for `entry`, which has none."""
        label = len(self._entry_of)
        self._entry_of.append(entry)
        self._label_of[entry] = label
        return label

    def release(self, entry: int) -> int | None:
        """Forget an entry; returns the label to bury, if it had one."""
        label = self._label_of.pop(entry, None)
        if label is not None:
            self._entry_of[label] = _DEAD
        return label

    def resolve(
        self, labels: NDArray[np.uint64], distances: NDArray[np.float32]
    ) -> list[Neighbour]:
        """Return the live entries among the found labels."""
        found = []
        for label, distance in zip(labels.tolist(), distances.tolist(), strict=True):
            entry = self._entry_of[label]
            if entry != _DEAD:
                found.append(Neighbour(entry, 1.0 - distance))
        return found

    def entries(self) -> array[int]:
        """Return a copy of all live entries, oldest first."""
        every = np.array(self._entry_of, dtype=np.intc)
        return array("i", every[every != _DEAD].tobytes())

    def label(self, entry: int) -> int:
        """Return the label of a live entry."""
        return self._label_of[entry]

    def insert(self, labels: Sequence[int], vectors: Vector) -> None:
        """Put new nodes into the graph. `vectors` has shape [len(labels), dimension]."""
        needed, capacity = labels[-1] + 1, self._graph.get_max_elements()
        if needed > capacity:
            # Half as much again: the lock is held for some 0.08 us for each node of the new size.
            self._graph.resize_index(max(needed, capacity + capacity // 2))
        self._graph.add_items(vectors, np.asarray(labels, dtype=np.uint64))

    def bury(self, labels: Iterable[int]) -> None:
        """Make nodes tombstones."""
        for label in labels:
            with suppress(RuntimeError):  # one whose insert failed
                self._graph.mark_deleted(label)

    def query(self, vector: Vector, k: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """Return labels and distances (1 - cosine) of the `k` nearest; fewer if it fails to.

        `k` is at most the number of live nodes.
        """
        for wanted in (k, 1):
            if wanted < 1:
                break
            try:
                labels, distances = self._graph.knn_query(vector[np.newaxis], k=wanted)
            except RuntimeError:
                # Fewer can be reached than there are; the owner rebuilds such a graph.
                continue
            return labels[0], distances[0]
        return np.empty(0, np.uint64), np.empty(0, np.float32)

    def vectors(self, labels: Sequence[int]) -> Vector:
        """Return a copy of the vectors of nodes, shape [len(labels), dimension]."""
        return np.asarray(self._graph.get_items(np.asarray(labels)), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write the graph to a file. Holds the interpreter's lock for as long as that takes.

        Raises OSError when not all of it could be written, of which hnswlib says nothing.
        """
        self._graph.save_index(str(path))
        if path.stat().st_size != self._graph.index_file_size():
            raise OSError(errno.EIO, "the graph was not written completely", str(path))

    def _graph_fits(self, vector: Vector) -> None:
        if vector.shape != (self._graph.dim,):
            raise ValueError("a vector of another dimension")
