"""All partitions of the index: one vector index each, chosen by size, bounded together.

A partition is a compatibility key. Small ones are scanned on the event loop, which takes
microseconds. One that outgrows the switch point is rebuilt as a graph on a thread of its own while
the scan goes on serving, and then swapped in; so is a graph that removed vectors fill. Graphs are
called on a single thread, one call at a time, because hnswlib allows no more.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from cachemw_policies.semantic import Candidate

from cachemw.errors import IndexUnavailable
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.states import DependencyState
from cachemw.stores.base import Vector

log = logging.getLogger("cachemw.index")


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """`switch_at`: vectors above which a partition becomes a graph (loadtests/reports/index.md).

    `max_vectors` bounds all partitions together; `search_timeout` is in seconds.
    """

    switch_at: int = 8000
    max_vectors: int = 200_000
    search_timeout: float = 0.25


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Counts: vectors, partitions, those of them that are graphs, removed vectors in these, builds.

    `builds` are the graphs built since the start.
    """

    vectors: int
    partitions: int
    graphs: int
    tombstones: int
    builds: int


@dataclass(slots=True)
class _Partition:
    """`order` holds the keys from oldest to newest, for eviction.

    While `building`, `changed` collects what the graph under way does not know of yet. After a
    failure the next build waits until `build_above` vectors are there.
    """

    index: FlatIndex | HnswIndex
    order: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    building: asyncio.Task[None] | None = None
    changed: dict[bytes, Vector | None] = field(default_factory=dict)
    build_above: int = 0


class PartitionedIndex:
    """Vectors by partition. Owned by the event loop; long work runs on two threads of its own."""

    def __init__(self, dimension: int, settings: IndexSettings) -> None:
        self._dimension = dimension
        self._settings = settings
        # Least recently used first: the one that eviction takes from.
        self._partitions: OrderedDict[bytes, _Partition] = OrderedDict()
        self._graphs = ThreadPoolExecutor(1, thread_name_prefix="cachemw-index")
        self._builds = ThreadPoolExecutor(1, thread_name_prefix="cachemw-build")
        self._build_state = DependencyState("index build")
        self._partition_of: dict[bytes, bytes] = {}
        self._expiries: list[tuple[float, bytes]] = []
        self._expires_at: dict[bytes, float] = {}
        self._builds_done = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._partition_of)

    def has(self, partition: bytes) -> bool:
        """Whether a search of the partition could find anything."""
        return partition in self._partitions

    def holds(self, key: bytes) -> bool:
        """Whether there is a vector under `key`."""
        return key in self._partition_of

    def keys(self) -> Iterator[list[bytes]]:
        """Yield all keys in short lists; one may let other things happen in between.

        What is added or removed meanwhile may or may not be among them.
        """
        keys = list(self._partition_of)
        for start in range(0, len(keys), 512):
            yield keys[start : start + 512]

    def stats(self) -> IndexStats:
        """Return what there is."""
        graphs = [p.index for p in self._partitions.values() if isinstance(p.index, HnswIndex)]
        return IndexStats(
            len(self),
            len(self._partitions),
            len(graphs),
            sum(graph.tombstones for graph in graphs),
            self._builds_done,
        )

    async def search(self, partition: bytes, vector: Vector, k: int) -> list[Candidate]:
        """Return up to `k` nearest of a partition. Raises IndexUnavailable past the time limit."""
        self._check(vector)
        found = self._partitions.get(partition)
        if found is None:
            return []
        self._partitions.move_to_end(partition)
        if isinstance(found.index, FlatIndex):
            return found.index.search(vector, k)
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._graphs, found.index.search, vector, k)
        try:
            async with asyncio.timeout(self._settings.search_timeout):
                return await future
        except TimeoutError:
            raise IndexUnavailable("no answer from the index in time") from None

    async def add(self, partition: bytes, key: bytes, vector: Vector, expires_at: float) -> None:
        """Insert or replace a vector; the oldest of the least recently used make room.

        `expires_at` is in seconds since the epoch: `expire` removes what has reached it.

        Raises IndexUnavailable for a vector that cannot be compared.
        """
        self._check(vector)
        if self._partition_of.get(key, partition) != partition:
            await self.remove(key)
        found = self._partitions.get(partition)
        if found is None:
            found = self._partitions[partition] = _Partition(FlatIndex(self._dimension))
        self._partitions.move_to_end(partition)
        self._partition_of[key] = partition
        self._expires_at[key] = expires_at
        heapq.heappush(self._expiries, (expires_at, key))
        found.order[key] = None
        found.order.move_to_end(key)
        await self._change(found, key, vector)
        while len(self) > self._settings.max_vectors:
            await self._evict_one()

    async def remove(self, key: bytes) -> bool:
        """Remove a vector; returns whether it was there."""
        partition = self._partition_of.pop(key, None)
        if partition is None:
            return False
        del self._expires_at[key]
        found = self._partitions[partition]
        del found.order[key]
        if not found.order:
            del self._partitions[partition]
        await self._change(found, key, None)
        return True

    async def expire(self, now: float) -> int:
        """Remove what expires at `now`, in seconds since the epoch, or before; return how many."""
        removed = 0
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, key = heapq.heappop(self._expiries)
            if self._expires_at.get(key) == expires_at:
                removed += await self.remove(key)
        return removed

    async def clear(self) -> None:
        """Remove everything."""
        for keys in list(self.keys()):
            for key in keys:
                await self.remove(key)

    async def settled(self) -> None:
        """Wait until no graph is being built (for tests and benchmarks)."""
        while builds := [p.building for p in self._partitions.values() if p.building]:
            await asyncio.gather(*builds)

    async def aclose(self) -> None:
        """Stop the threads."""
        for partition in self._partitions.values():
            if partition.building is not None:
                partition.building.cancel()
        self._graphs.shutdown(wait=False, cancel_futures=True)
        self._builds.shutdown(wait=False, cancel_futures=True)

    async def _evict_one(self) -> None:
        oldest = next(iter(self._partitions.values()))
        self.evictions += 1
        await self.remove(next(iter(oldest.order)))

    async def _change(self, partition: _Partition, key: bytes, vector: Vector | None) -> None:
        """Apply one change; `vector` None removes."""
        if partition.building is not None:
            partition.changed[key] = vector
        index = partition.index
        if isinstance(index, FlatIndex):
            _apply(index, key, vector)
        else:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._graphs, _apply, index, key, vector)
        if partition.building is None and partition.order and self._is_outgrown(partition):
            partition.building = asyncio.create_task(self._build(partition))

    def _is_outgrown(self, partition: _Partition) -> bool:
        """Whether a scan has become too long, or half a graph and more has been removed."""
        index = partition.index
        limit = max(self._settings.switch_at, partition.build_above)
        if isinstance(index, FlatIndex):
            return len(index) > limit
        return index.tombstones > max(len(index), limit)

    async def _build(self, partition: _Partition) -> None:
        loop = asyncio.get_running_loop()
        try:
            graph = await self._new_graph(partition.index)
            while partition.changed:
                changes, partition.changed = partition.changed, {}
                for key, vector in changes.items():
                    await loop.run_in_executor(self._graphs, _apply, graph, key, vector)
            partition.index = graph
            self._builds_done += 1
            self._build_state.up()
            log.info("graph built", extra={"vectors": len(graph)})
        except Exception as error:  # noqa: BLE001 - what there was before goes on serving
            partition.build_above = 2 * len(partition.order)
            self._build_state.down(type(error).__name__)
        finally:
            partition.building = None
            partition.changed = {}

    async def _new_graph(self, old: FlatIndex | HnswIndex) -> HnswIndex:
        loop = asyncio.get_running_loop()
        if isinstance(old, FlatIndex):
            keys, rows = old.items()
        else:
            keys, rows = await loop.run_in_executor(self._graphs, old.items)
        return await loop.run_in_executor(self._builds, _graph_of, keys, rows)

    def _check(self, vector: Vector) -> None:
        if vector.shape != (self._dimension,) or not np.isfinite(vector).all():
            raise IndexUnavailable("a vector of another dimension, or not of numbers")


def _apply(index: FlatIndex | HnswIndex, key: bytes, vector: Vector | None) -> None:
    if vector is None:
        index.remove(key)
    else:
        index.add(key, vector)


def _graph_of(keys: list[bytes], rows: Vector) -> HnswIndex:
    graph = HnswIndex(rows.shape[1], capacity=2 * len(keys))
    for key, row in zip(keys, rows, strict=True):
        graph.add(key, row)
    return graph
