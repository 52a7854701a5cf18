"""The partitioned index: switching to a graph loses nothing, bounds hold, nothing overlaps."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import numpy as np
import pytest

from cachemw.errors import IndexUnavailable
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.stores.base import Vector

DIMENSION = 16
SMALL = IndexSettings(switch_at=50, max_vectors=100_000, search_timeout=30.0)
P = b"partition"
NEVER = 4e9


@pytest.fixture
async def index() -> AsyncIterator[PartitionedIndex]:
    made = PartitionedIndex(DIMENSION, SMALL)
    yield made
    await made.aclose()


def rows(count: int, seed: int = 0) -> Vector:
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    unit: Vector = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def kind(index: PartitionedIndex, partition: bytes = P) -> type[Any]:
    return type(index._partitions[partition].segments[0].index)


class OverlapChecker:
    """Stands around a graph and notes calls that run beside another one."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._lock = threading.Lock()
        self.calls = 0
        self.overlaps: list[str] = []

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._graph, name)

        def checked(*args: Any, **kwargs: Any) -> Any:
            if not self._lock.acquire(blocking=False):
                self.overlaps.append(name)
                return inner(*args, **kwargs)
            try:
                self.calls += 1
                time.sleep(0.0002)  # so that another thread has the time to come
                return inner(*args, **kwargs)
            finally:
                self._lock.release()

        return checked


async def test_partitions_do_not_see_each_other(index: PartitionedIndex) -> None:
    vectors = rows(2)
    await index.add(b"a", b"1", vectors[0], NEVER)
    await index.add(b"b", b"2", vectors[1], NEVER)
    assert [c.key for c in await index.search(b"a", vectors[1], 5)] == [b"1"]
    assert await index.search(b"c", vectors[0], 5) == []
    assert (index.has(b"a"), index.has(b"c"), len(index)) == (True, False, 2)


async def test_an_empty_partition_goes_away(index: PartitionedIndex) -> None:
    await index.add(P, b"1", rows(1)[0], NEVER)
    assert await index.remove(b"1")
    assert not await index.remove(b"1")
    assert (index.has(P), len(index)) == (False, 0)


async def test_a_large_partition_becomes_a_graph(index: PartitionedIndex) -> None:
    vectors = rows(51)
    for n, vector in enumerate(vectors[:50]):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    assert kind(index) is FlatIndex
    await index.add(P, b"50", vectors[50], NEVER)
    await index.settled()
    assert kind(index) is HnswIndex
    for n, vector in enumerate(vectors):
        assert (await index.search(P, vector, 1))[0].key == b"%d" % n


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_while_a_partition_becomes_a_graph(seed: int) -> None:
    """Inserts, removals and searches go on beside the switch; each sees what it must."""
    index = PartitionedIndex(DIMENSION, SMALL)
    rng, vectors = Random(seed), rows(700, seed)
    live: dict[bytes, Vector] = {}
    wrong: list[bytes] = []
    searching = True

    async def search() -> None:
        while searching:
            if live:
                key = rng.choice(list(live))
                before = live[key]
                found = await index.search(P, before, 1)
                # It may have been replaced or removed meanwhile, and only then be missed.
                if live.get(key) is before and (not found or found[0].key != key):
                    wrong.append(key)
            await asyncio.sleep(0)

    searches = [asyncio.create_task(search()) for _ in range(3)]
    for vector in vectors:
        key = b"%d" % rng.randrange(250)
        if rng.random() < 0.25 and key in live:
            del live[key]
            assert await index.remove(key)
        else:
            live.pop(key, None)
            await index.add(P, key, vector, NEVER)
            live[key] = vector
        if rng.random() < 0.3:
            await asyncio.sleep(0)
    await index.settled()
    searching = False
    await asyncio.gather(*searches)
    assert kind(index) is HnswIndex
    assert not wrong
    assert len(index) == len(live)
    everything = await index.search(P, vectors[0], len(live))
    assert {c.key for c in everything} == set(live)
    for key, vector in live.items():
        (best,) = await index.search(P, vector, 1)
        assert best.key == key
        assert best.similarity == pytest.approx(1.0, abs=1e-5)
    await index.aclose()


async def test_a_graph_is_never_called_by_two_threads_at_once(index: PartitionedIndex) -> None:
    vectors = rows(400)
    for n, vector in enumerate(vectors[:60]):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    graph = index._partitions[P].segments[0].index
    assert isinstance(graph, HnswIndex)
    checker = graph._graph = OverlapChecker(graph._graph)
    inserts = (index.add(P, b"%d" % n, v, NEVER) for n, v in enumerate(vectors[60:160]))
    removals = (index.remove(b"%d" % n) for n in range(30))
    searches = (index.search(P, v, 5) for v in vectors)
    await asyncio.gather(*inserts, *removals, *searches)
    assert checker.calls > 500
    assert not checker.overlaps


async def test_removed_vectors_do_not_pile_up_in_a_graph(index: PartitionedIndex) -> None:
    vectors = rows(3000)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % (n % 80), vector, NEVER)
        if n % 50 == 0:
            await index.settled()
    await index.settled()
    graph = index._partitions[P].segments[0].index
    assert isinstance(graph, HnswIndex)
    assert len(graph) == len(index) == 80
    # As many as there are live ones, and what came during the last rebuild.
    assert graph.tombstones <= 80 + 50 + 1
    for n in range(2920, 3000):
        assert (await index.search(P, vectors[n], 1))[0].key == b"%d" % (n % 80)


async def test_a_build_that_fails_leaves_the_scan_serving_and_is_not_tried_at_once_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, vectors, builds = PartitionedIndex(DIMENSION, SMALL), rows(250), []

    def no_memory(*_: Any) -> None:
        builds.append(len(index))
        raise MemoryError

    monkeypatch.setattr("cachemw.index.rebuild.Rebuilder._empty", no_memory)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, NEVER)
        await index.settled()
    assert kind(index) is FlatIndex
    assert (await index.search(P, vectors[55], 1))[0].key == b"55"
    assert [r.message for r in caplog.records].count("dependency failed") == 1
    assert builds == [51, 103, 207]
    await index.aclose()


async def test_max_vectors_bounds_all_partitions_together() -> None:
    index = PartitionedIndex(DIMENSION, IndexSettings(switch_at=20, max_vectors=100))
    vectors = rows(500)
    rng = Random(1)
    for n, vector in enumerate(vectors):
        await index.add(b"%d" % rng.randrange(7), b"%d" % n, vector, NEVER)
        assert len(index) == min(n + 1, 100)
    assert index.evictions == 400
    await index.aclose()


async def test_eviction_takes_the_oldest_of_the_least_recently_used_partition() -> None:
    index = PartitionedIndex(DIMENSION, IndexSettings(max_vectors=4))
    vectors = rows(6)
    for partition, key in ((b"a", b"a1"), (b"a", b"a2"), (b"b", b"b1"), (b"b", b"b2")):
        await index.add(partition, key, vectors[0], NEVER)
    await index.search(b"a", vectors[0], 1)
    await index.add(b"c", b"c1", vectors[1], NEVER)
    assert {c.key for c in await index.search(b"a", vectors[0], 9)} == {b"a1", b"a2"}
    assert {c.key for c in await index.search(b"b", vectors[0], 9)} == {b"b2"}
    await index.aclose()


async def test_a_replaced_key_counts_as_new_for_eviction() -> None:
    index = PartitionedIndex(DIMENSION, IndexSettings(max_vectors=2))
    vectors = rows(3)
    for key in (b"1", b"2", b"1", b"3"):
        await index.add(P, key, vectors[0], NEVER)
    assert {c.key for c in await index.search(P, vectors[0], 9)} == {b"1", b"3"}
    await index.aclose()


async def test_one_full_partition_loses_its_oldest_and_is_never_wiped() -> None:
    index = PartitionedIndex(DIMENSION, IndexSettings(switch_at=20, max_vectors=50))
    vectors = rows(200)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    found = await index.search(P, vectors[0], 50)
    assert {c.key for c in found} == {b"%d" % n for n in range(150, 200)}
    await index.aclose()


async def test_a_search_past_its_time_limit_is_an_error_that_the_path_knows() -> None:
    settings = IndexSettings(switch_at=10, search_timeout=0.05)
    index = PartitionedIndex(DIMENSION, settings)
    vectors = rows(12)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    release = threading.Event()
    busy = index._graphs.submit(lambda: release.wait(10), urgent=True)
    with pytest.raises(IndexUnavailable):
        await index.search(P, vectors[0], 1)
    release.set()
    await asyncio.wrap_future(busy)
    deadline = time.monotonic() + 10
    while True:  # the thread is free again, and so the next search finds
        try:
            (best,) = await index.search(P, vectors[0], 1)
            break
        except IndexUnavailable:
            assert time.monotonic() < deadline
    assert best.key == b"0"
    await index.aclose()


async def test_a_vector_that_cannot_be_compared_is_refused(index: PartitionedIndex) -> None:
    good = rows(1)[0]
    await index.add(P, b"good", good, NEVER)
    for bad in (np.full(DIMENSION, np.nan, np.float32), np.ones(3, np.float32)):
        with pytest.raises(IndexUnavailable):
            await index.add(P, b"bad", bad, NEVER)
        with pytest.raises(IndexUnavailable):
            await index.search(P, bad, 3)
    assert len(index) == 1
    assert [c.key for c in await index.search(P, good, 3)] == [b"good"]


async def test_the_same_vector_again_renews_and_leaves_no_tombstone(
    index: PartitionedIndex,
) -> None:
    vectors = rows(60)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, 100.0)
    await index.settled()
    for n in range(0, 60, 2):
        await index.add(P, b"%d" % n, vectors[n], 200.0)
    assert index.stats().tombstones == 0
    await index.add(P, b"1", vectors[0], 200.0)
    assert index.stats().tombstones == 1
    assert await index.expire(150.0) == 29
    assert {key for keys in index.keys() for key in keys} == {  # noqa: SIM118 - not a dict
        b"1",
        *(b"%d" % n for n in range(0, 60, 2)),
    }
