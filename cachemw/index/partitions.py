"""All partitions of the index: chosen by size, bounded together, and current.

A partition is a compatibility key. Small ones are scanned on the event loop, which takes
microseconds; larger ones are graphs, searched and filled on a single thread. See DESIGN.md, 'The
life of the index'.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from hashlib import blake2b

import numpy as np
from cachemw_policies.decision import Candidate

from cachemw.errors import IndexUnavailable
from cachemw.index.base import Neighbour
from cachemw.index.entries import Entries
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.index.lane import Lane
from cachemw.index.rebuild import Rebuilder
from cachemw.index.search import Searcher, has_graphs, scan
from cachemw.index.segment import Index, Partition, Segment
from cachemw.index.settings import IndexSettings, IndexStats
from cachemw.stores.base import Vector

__all__ = ["IndexSettings", "IndexStats", "PartitionedIndex"]

_STEP = 64
"""Entries that are removed at once, about a millisecond's worth, before others get their turn."""


class PartitionedIndex:
    """Vectors by partition. Owned by the event loop; long work runs on two threads of its own."""

    def __init__(self, dimension: int, settings: IndexSettings) -> None:
        self.dimension = dimension
        self._settings = settings
        self._entries = Entries()
        # Least recently used first: the one that eviction takes from.
        self._partitions: OrderedDict[bytes, Partition] = OrderedDict()
        self._segments: dict[int, Segment] = {}
        self._next_segment = 0
        self._graphs = Lane("cachemw-index")
        self._rebuilder = Rebuilder(dimension, settings.switch_at, self._graphs)
        self._searcher = Searcher(self._graphs, self._rebuilder)
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, partition: bytes) -> bool:
        """Whether a search of the partition could find anything."""
        return partition in self._partitions

    def holds(self, key: bytes) -> bool:
        """Whether there is a vector under `key`."""
        return self._entries.number(key) is not None

    def keys(self) -> Iterator[list[bytes]]:
        """Yield all keys in short lists; one may let other things happen in between.

        What is added or removed meanwhile may or may not be among them.
        """
        return self._entries.keys(_STEP)

    def stats(self) -> IndexStats:
        """Return what there is."""
        graphs = self._rebuilder.graphs.values()
        return IndexStats(
            len(self),
            len(self._partitions),
            len(graphs),
            sum(segment.tombstones for segment in graphs),
            self._rebuilder.built,
            self._rebuilder.building,
        )

    async def search(self, partition: bytes, vector: Vector, k: int) -> list[Candidate]:
        """Return up to `k` nearest of a partition. Raises IndexUnavailable past the time limit."""
        self._check(vector)
        found = self._partitions.get(partition)
        if found is None:
            return []
        self._partitions.move_to_end(partition)
        if not has_graphs(found):
            return self._candidates(scan(found, vector, k), k)
        try:
            async with asyncio.timeout(self._settings.search_timeout):
                return self._candidates(await self._searcher.search(found, vector, k), k)
        except TimeoutError:
            raise IndexUnavailable("no answer from the index in time") from None

    async def add(self, partition: bytes, key: bytes, vector: Vector, expires_at: float) -> None:
        """Insert or replace a vector; the oldest of the least recently used make room.

        The same vector again, as when an answer was generated anew, costs no work in a graph.
        `expires_at` is in seconds since the epoch: `expire` removes what has reached it. Raises
        IndexUnavailable for a vector that cannot be compared, or that the graph has no room for.
        """
        self._check(vector)
        while (frozen := self._frozen(partition)) is not None:
            await frozen.wait()
        existing, digest = self._entries.number(key), _digest(vector)
        if existing is not None:
            if self._renewed(existing, partition, digest, expires_at):
                return
            self._drop([existing])
        home = self._partition(partition)
        segment = self._roomy(home) or self._new_segment(home, FlatIndex(self.dimension))
        entry = self._entries.add(key, expires_at, home, segment.number, digest)
        index = segment.index
        inserted = self._insert(segment, entry, vector)
        self._make_room()
        if isinstance(index, HnswIndex) and inserted is not None:
            await self._inserted(key, entry, index, inserted)
        if segment.number in self._segments:
            self._rebuilder.consider(segment)

    async def remove(self, key: bytes) -> bool:
        """Remove a vector; returns whether it was there. No search returns it from now on."""
        entry = self._entries.number(key)
        if entry is None:
            return False
        self._drop([entry])
        return True

    async def expire(self, now: float) -> int:
        """Remove what expires at `now`, in seconds since the epoch, or before; return how many."""
        removed, step = 0, _STEP
        while step == _STEP:
            step = 0
            while step < _STEP and (first := self._entries.expiry.first()) and first[0] <= now:
                self._drop([first[1]])
                step += 1
            removed += step
            await asyncio.sleep(0)
        return removed

    async def clear(self) -> None:
        """Remove everything that is there now."""
        for keys in self.keys():
            numbers = map(self._entries.number, keys)
            self._drop([number for number in numbers if number is not None])
            await asyncio.sleep(0)

    async def settled(self) -> None:
        """Wait until nothing is being built and no change is under way."""
        await self._rebuilder.settled()
        await self._graphs.run(bool)

    async def aclose(self) -> None:
        """Stop the threads."""
        self._rebuilder.close()
        self._graphs.close()

    def partitions(self) -> Iterator[Partition]:
        """Yield all partitions, least recently used first, for a snapshot."""
        return iter(self._partitions.values())

    @property
    def entries(self) -> Entries:
        """What is known of every entry, for a snapshot."""
        return self._entries

    def adopt(
        self, name: bytes, indexes: Sequence[Index], rows: Iterable[tuple[bytes, float, int, int]]
    ) -> None:
        """Take in a partition of a snapshot, into an index to which nothing was added by others.

        `rows` are key, expires_at, position of its index and digest, oldest first. The
        entries' numbers in `indexes` go on from the number of entries there are.
        """
        home = self._partition(name)
        segments = [self._new_segment(home, index) for index in indexes]
        for key, expires_at, position, digest in rows:
            self._entries.add(key, expires_at, home, segments[position].number, digest)
        for segment in segments:
            self._rebuilder.adopt(segment)

    def _partition(self, name: bytes) -> Partition:
        found = self._partitions.get(name)
        if found is None:
            found = self._partitions[name] = Partition(name)
        self._partitions.move_to_end(name)
        return found

    def _renewed(self, entry: int, partition: bytes, digest: int, expires_at: float) -> bool:
        """Renew an entry if its vector is the same; returns whether it is."""
        home = self._segments[self._entries.segment(entry)].partition
        if home.name != partition or self._entries.digest(entry) != digest:
            return False
        self._entries.renew(entry, expires_at, home)
        self._partitions.move_to_end(partition)
        return True

    def _frozen(self, name: bytes) -> asyncio.Event | None:
        """Return what an insert into a partition has to wait for."""
        partition = self._partitions.get(name)
        segment = None if partition is None else self._roomy(partition)
        return None if segment is None else segment.frozen

    def _roomy(self, partition: Partition) -> Segment | None:
        """Return the newest segment that has room for one more vector."""
        size = self._settings.segment_size
        for segment in reversed(partition.segments):
            if len(segment.index) < size and segment.nodes < size + size // 2:
                return segment
        return None

    def _new_segment(self, partition: Partition, index: Index) -> Segment:
        segment = Segment(self._next_segment, partition, index)
        self._next_segment += 1
        self._segments[segment.number] = segment
        partition.segments.append(segment)
        return segment

    def _insert(self, segment: Segment, entry: int, vector: Vector) -> Future[None] | None:
        """Put a vector into a segment; returns what to wait for, if there is something."""
        segment.note(entry, vector)
        index = segment.index
        if isinstance(index, FlatIndex):
            index.add(entry, vector)
            return None
        label = index.assign(entry)
        return self._graphs.submit(partial(index.insert, [label], vector[np.newaxis]))

    async def _inserted(
        self, key: bytes, entry: int, index: HnswIndex, inserted: Future[None]
    ) -> None:
        try:
            await asyncio.wrap_future(inserted)
        except (MemoryError, RuntimeError) as error:
            if self._entries.number(key) == entry and entry in index:
                self._drop([entry])
            raise IndexUnavailable(f"no room in the graph: {type(error).__name__}") from None

    def _drop(self, entries: Iterable[int]) -> None:
        """Remove live entries. Graphs get to know later, on their thread."""
        dead: defaultdict[HnswIndex, list[int]] = defaultdict(list)
        touched = set()
        for entry in entries:
            segment = self._segments[self._entries.segment(entry)]
            self._entries.remove(entry, segment.partition)
            segment.note(entry, None)
            touched.add(segment)
            if isinstance(segment.index, FlatIndex):
                segment.index.remove(entry)
            elif (label := segment.index.release(entry)) is not None:
                dead[segment.index].append(label)
        for index, labels in dead.items():
            self._graphs.submit(partial(index.bury, labels))
        for segment in touched:
            self._after_removal(segment)

    def _after_removal(self, segment: Segment) -> None:
        if len(segment.index):
            self._rebuilder.consider(segment)
            return
        self._rebuilder.forget(segment)
        del self._segments[segment.number]
        partition = segment.partition
        partition.segments.remove(segment)
        if not partition.segments:
            del self._partitions[partition.name]

    def _make_room(self) -> None:
        """Evict what is too many; a step at most, where the bound was larger at the last start."""
        for _ in range(min(_STEP, len(self) - self._settings.max_vectors)):
            self.evictions += 1
            self._drop([next(iter(self._partitions.values())).oldest])

    def _candidates(self, found: list[Neighbour], k: int) -> list[Candidate]:
        nearest = heapq.nlargest(k, found, key=_similarity)
        return [Candidate(self._entries.key(near.entry), near.similarity) for near in nearest]

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
            raise IndexUnavailable("a vector of another dimension, or not of numbers")


def _similarity(neighbour: Neighbour) -> float:
    return neighbour.similarity


def _digest(vector: Vector) -> int:
    """Return 64 bits of a vector; by chance, two are the same once in 10^19 replacements."""
    return int.from_bytes(blake2b(vector.tobytes(), digest_size=8).digest(), "big", signed=True)
