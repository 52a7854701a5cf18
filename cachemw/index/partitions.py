"""All partitions of the index: chosen by size, bounded together, and current.

A partition is a compatibility key. Small ones are scanned on the event loop, which takes
microseconds; larger ones are graphs, searched and filled on a single thread. See DESIGN.md, 'The
life of the index'.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
from cachemw_policies.semantic import Candidate
from numpy.typing import NDArray

from cachemw.errors import IndexUnavailable
from cachemw.index.base import Neighbour
from cachemw.index.entries import Entries
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.index.lane import Lane
from cachemw.index.rebuild import Rebuilder
from cachemw.index.segment import Index, Partition, Segment
from cachemw.stores.base import Vector

_STEP = 64
"""Entries that are removed at once, about a millisecond's worth, before others get their turn."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """`switch_at`: vectors above which a segment becomes a graph (loadtests/reports/index.md).

    `max_vectors` bounds all partitions together; `search_timeout` is in seconds. `segment_size`
    bounds the vectors of one graph: making one larger and letting go of one both hold the
    interpreter's lock, for 0.15 ms for each thousand nodes, of which there may be half as many
    again. Each further segment costs a search of 0.2 ms.
    """

    switch_at: int = 8000
    max_vectors: int = 200_000
    search_timeout: float = 0.25
    segment_size: int = 50_000


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Counts; `tombstones` are removed vectors in graphs, `builds` those since the start."""

    vectors: int
    partitions: int
    graphs: int
    tombstones: int
    builds: int
    building: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What one graph answered: labels, distances, and the seconds of CPU that it took."""

    labels: NDArray[np.uint64]
    distances: NDArray[np.float32]
    seconds: float


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
        if not any(isinstance(segment.index, HnswIndex) for segment in found.segments):
            return self._candidates(self._scan(found, vector, k), k)
        try:
            async with asyncio.timeout(self._settings.search_timeout):
                return await self._search_graphs(found, vector, k)
        except TimeoutError:
            raise IndexUnavailable("no answer from the index in time") from None

    async def add(self, partition: bytes, key: bytes, vector: Vector, expires_at: float) -> None:
        """Insert or replace a vector; the oldest of the least recently used make room.

        `expires_at` is in seconds since the epoch: `expire` removes what has reached it. Raises
        IndexUnavailable for a vector that cannot be compared, or that the graph has no room for.
        """
        self._check(vector)
        while (frozen := self._frozen(partition)) is not None:
            await frozen.wait()
        existing = self._entries.number(key)
        if existing is not None:
            self._drop([existing])
        home = self._partition(partition)
        segment = self._roomy(home) or self._new_segment(home, FlatIndex(self.dimension))
        entry = self._entries.add(key, expires_at, home, segment.number)
        index = segment.index
        inserted = self._insert(segment, entry, vector)
        while len(self) > self._settings.max_vectors:
            self.evictions += 1
            self._drop([next(iter(self._partitions.values())).oldest])
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
        self, name: bytes, indexes: Sequence[Index], rows: Iterable[tuple[bytes, float, int]]
    ) -> None:
        """Take in a partition of a snapshot, into an index to which nothing was added by others.

        `rows` are key, expires_at and position of its index for each entry, oldest first. The
        entries' numbers in `indexes` go on from the number of entries there are.
        """
        home = self._partition(name)
        segments = [self._new_segment(home, index) for index in indexes]
        for key, expires_at, position in rows:
            self._entries.add(key, expires_at, home, segments[position].number)
        for segment in segments:
            self._rebuilder.adopt(segment)

    def _partition(self, name: bytes) -> Partition:
        found = self._partitions.get(name)
        if found is None:
            found = self._partitions[name] = Partition(name)
        self._partitions.move_to_end(name)
        return found

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

    def _scan(self, partition: Partition, vector: Vector, k: int) -> list[Neighbour]:
        found: list[Neighbour] = []
        for segment in partition.segments:
            if isinstance(segment.index, FlatIndex):
                found += segment.index.search(vector, k)
        return found

    async def _search_graphs(self, partition: Partition, vector: Vector, k: int) -> list[Candidate]:
        while True:
            indexes = [segment.index for segment in partition.segments]
            graphs = [index for index in indexes if isinstance(index, HnswIndex)]
            asked = [(graph, min(k, len(graph))) for graph in graphs]
            answers = await self._graphs.run(partial(_query, asked, vector), urgent=True)
            if indexes == [segment.index for segment in partition.segments]:
                break
            # One was replaced meanwhile: what the old one calls an entry may be another by now.
        found = self._scan(partition, vector, k)
        for (graph, wanted), answer in zip(asked, answers, strict=True):
            found += graph.resolve(answer.labels, answer.distances)
            self._note_health(partition, graph, answer, wanted)
        return self._candidates(found, k)

    def _note_health(
        self, partition: Partition, graph: HnswIndex, answer: _Found, wanted: int
    ) -> None:
        for segment in partition.segments:
            if segment.index is graph and segment.health is not None:
                segment.health.note(answer.seconds)
                if len(answer.labels) < wanted:
                    segment.health.fell_short()
                if segment.health.damaged:
                    self._rebuilder.consider(segment)

    def _candidates(self, found: list[Neighbour], k: int) -> list[Candidate]:
        nearest = heapq.nlargest(k, found, key=_similarity)
        return [Candidate(self._entries.key(near.entry), near.similarity) for near in nearest]

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self.dimension,) or not np.isfinite(vector).all():
            raise IndexUnavailable("a vector of another dimension, or not of numbers")


def _similarity(neighbour: Neighbour) -> float:
    return neighbour.similarity


def _query(graphs: Iterable[tuple[HnswIndex, int]], vector: Vector) -> list[_Found]:
    """Search graphs one after the other."""
    answers = []
    for graph, wanted in graphs:
        # CPU time of this thread: it does not count what others keep it waiting for.
        started = time.thread_time()
        labels, distances = graph.query(vector, wanted)
        answers.append(_Found(labels, distances, time.thread_time() - started))
    return answers
