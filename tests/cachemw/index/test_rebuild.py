"""Building anew: recall through many turnovers, damage, shrinking, segments, sudden death."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import numpy as np

from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot import load
from cachemw.stores.base import Vector
from tests.cachemw.index.test_snapshot import DIMENSION as SAVED_DIMENSION
from tests.cachemw.index.test_snapshot import PRINT, SETTINGS, running

DIMENSION = 32
P = b"partition"
NEVER = 4e9
SMALL = IndexSettings(switch_at=100, max_vectors=100_000, search_timeout=30.0)


def clustered(count: int, seed: int = 0, noise: float = 0.3) -> Vector:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((40, DIMENSION))
    drawn = centres[rng.integers(40, size=count)] + noise * rng.standard_normal((count, DIMENSION))
    unit: Vector = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit


async def recall(index: PartitionedIndex, live: dict[bytes, Vector], queries: Vector) -> float:
    best = (queries @ np.stack(list(live.values())).T).max(axis=1)
    found = [(await index.search(P, query, 1))[0].similarity for query in queries]
    return float(np.mean(np.asarray(found) >= best - 1e-5))


async def test_recall_holds_through_many_turnovers() -> None:
    """Inserts, replacements, deletes and expiry, six times over; queries all along."""
    index, rng = PartitionedIndex(DIMENSION, SMALL), Random(1)
    live: dict[bytes, Vector] = {}
    ends: dict[bytes, float] = {}
    recalls = []
    for n, vector in enumerate(clustered(3600)):
        key = rng.choice(list(live)) if live and rng.random() < 0.2 else b"%d" % n
        live[key], ends[key] = vector, n + 500 + rng.randrange(400)
        await index.add(P, key, vector, ends[key])
        if rng.random() < 0.1:
            gone = rng.choice(list(live))
            assert await index.remove(gone)
            del live[gone], ends[gone]
        if n % 20 == 0:
            expired = [key for key, end in ends.items() if end <= n]
            assert await index.expire(n) == len(expired)
            for key in expired:
                del live[key], ends[key]
        if n % 150 == 149:
            recalls.append(await recall(index, live, clustered(60, n, 0.4)))
            stats = index.stats()
            assert stats.vectors == len(live)
        if n % 600 == 599:  # builds take the time they get: each of them is seen to its end
            await index.settled()
    assert index.stats().builds >= 4
    assert min(recalls) >= 0.98
    assert float(np.mean(recalls)) >= 0.99
    await index.aclose()


async def test_a_graph_that_shrinks_becomes_a_scan_again_and_grows_anew() -> None:
    index, vectors = PartitionedIndex(DIMENSION, SMALL), clustered(150)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, float(n))
    await index.settled()
    assert index.stats().graphs == 1
    assert await index.expire(98.0) == 99
    await index.settled()
    assert index.stats().graphs == 1  # 51 are left: not yet
    assert await index.expire(99.0) == 1
    await index.settled()
    assert (index.stats().graphs, index.stats().tombstones) == (0, 0)
    for n in range(100, 150):
        assert (await index.search(P, vectors[n], 1))[0].key == b"%d" % n
    for n in range(100):
        await index.add(P, b"%d" % n, vectors[n], NEVER)
    await index.settled()
    assert index.stats().graphs == 1
    assert await recall(index, {b"%d" % n: v for n, v in enumerate(vectors)}, vectors) == 1.0
    await index.aclose()


async def test_a_graph_damaged_in_one_place_is_built_anew() -> None:
    """Few tombstones in all, but every search meets them."""
    index, vectors = PartitionedIndex(DIMENSION, SMALL), clustered(400)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    for n in range(30):
        await index.remove(b"%d" % n)
    await index.settled()
    built = index.stats()
    assert built.tombstones == 30
    (segment,) = index._segments.values()
    assert segment.health is not None
    segment.health.damage = 4.0  # what slow searches come to: test_health.py
    await index.search(P, vectors[0], 1)
    await index.settled()
    assert (index.stats().tombstones, index.stats().builds) == (0, built.builds + 1)
    await index.aclose()


async def test_a_partition_larger_than_a_segment_is_searched_in_all_of_them() -> None:
    settings = IndexSettings(switch_at=50, search_timeout=30.0, segment_size=120)
    index, vectors = PartitionedIndex(DIMENSION, settings), clustered(500)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, float(n))
    await index.settled()
    segments = index._partitions[P].segments
    assert [len(segment.index) for segment in segments] == [120, 120, 120, 120, 20]
    kinds = [type(segment.index) for segment in segments]
    assert kinds == [HnswIndex] * 4 + [FlatIndex]
    assert await recall(index, {b"%d" % n: v for n, v in enumerate(vectors)}, vectors) == 1.0
    found = await index.search(P, vectors[0], 40)
    best = np.sort(vectors @ vectors[0])[::-1][:40]
    assert np.allclose([one.similarity for one in found], best, atol=1e-5)
    # The oldest expire, their segment goes, and there is room for new ones.
    assert await index.expire(119.0) == 120
    await index.settled()
    assert len(index._partitions[P].segments) == 4
    await index.aclose()


_BUILDER = """
import asyncio, sys
from pathlib import Path
from cachemw.index.partitions import PartitionedIndex
from cachemw.index.snapshot import save
from tests.cachemw.index.test_snapshot import DIMENSION, PRINT, SETTINGS, filled, rows

async def main():
    index, _ = await filled(200, 1)
    save(index, Path(sys.argv[1]), PRINT, "before")
    print("saved", flush=True)
    n = 0
    while True:  # rebuilds without end
        for vector in rows(500, 3):
            n += 1
            await index.add(b"large", b"more %d" % (n % 100), vector, 1e9)
            if any(segment.building for segment in index._segments.values()):
                print("building", flush=True)

asyncio.run(main())
"""


def test_kill_during_a_rebuild_leaves_the_snapshot(tmp_path: Path) -> None:
    with running(_BUILDER, str(tmp_path)) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"saved\n"
        assert builder.stdout.readline() == b"building\n"
        builder.send_signal(signal.SIGKILL)
    restored = load(tmp_path, PRINT, SAVED_DIMENSION, SETTINGS)
    assert restored is not None
    assert restored.cursor == "before"
    assert len(restored.index) > 100
