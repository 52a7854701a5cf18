"""Snapshots: what comes back, what is refused, and what `kill -9` leaves."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest

from cachemw.index import snapshot
from cachemw.index.hnsw import HnswIndex
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot import load, save
from cachemw.stores.base import Vector

DIMENSION = 16
SETTINGS = IndexSettings(switch_at=50, max_vectors=10_000, search_timeout=30.0, segment_size=120)
PRINT = "f" * 16
Model = dict[bytes, tuple[bytes, Vector]]


def rows(count: int, seed: int = 0) -> Vector:
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    unit: Vector = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


async def filled(count: int = 400, seed: int = 0) -> tuple[PartitionedIndex, Model]:
    """Return an index with graphs, scans, tombstones and free numbers, and what is in it."""
    index, rng = PartitionedIndex(DIMENSION, SETTINGS), Random(seed)
    model: Model = {}
    for n, vector in enumerate(rows(count, seed)):
        partition = b"large" if n % 3 else b"small %d" % (n % 30)
        key = b"key %d" % n
        await index.add(partition, key, vector, 1000.0 + n)
        model[key] = partition, vector
        if rng.random() < 0.2:
            gone = rng.choice(list(model))
            del model[gone]
            assert await index.remove(gone)
    await index.settled()
    for gone in list(model)[::9]:
        del model[gone]
        assert await index.remove(gone)
    await index.settled()
    return index, model


def folders(folder: Path) -> int:
    return len(list(folder.glob("snapshot-*")))


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]


async def assert_same(index: PartitionedIndex, model: Model) -> None:
    assert {key for keys in index.keys() for key in keys} == set(model)  # noqa: SIM118
    for key, (partition, vector) in model.items():
        (best, *_) = await index.search(partition, vector, 3)
        assert best.key == key
        assert best.similarity == pytest.approx(1.0, abs=1e-5)


async def test_all_comes_back(tmp_path: Path) -> None:
    index, model = await filled()
    assert index.stats().graphs >= 2
    assert index.stats().tombstones > 0
    save(index, tmp_path, PRINT, "cursor 7")
    restored = load(tmp_path, PRINT, DIMENSION, SETTINGS)
    assert restored is not None
    assert restored.cursor == "cursor 7"
    before, after = index.stats(), restored.index.stats()
    assert (before.vectors, before.partitions, before.graphs, before.tombstones) == (
        after.vectors,
        after.partitions,
        after.graphs,
        after.tombstones,
    )
    await assert_same(restored.index, model)
    # Expiries too, and what is restored lives on.
    assert await restored.index.expire(1200.0) == await index.expire(1200.0) > 0
    left = {k: v for k, v in model.items() if int(k[4:]) > 200}
    await assert_same(restored.index, left)
    for n, vector in enumerate(rows(100, 9)):
        await restored.index.add(b"large", b"new %d" % n, vector, 1e9)
        left[b"new %d" % n] = b"large", vector
    await restored.index.settled()
    await assert_same(restored.index, left)
    await index.aclose()
    await restored.index.aclose()


async def test_eviction_goes_on_in_the_same_order(tmp_path: Path) -> None:
    index, _ = await filled(90)
    await index.search(b"small 3", rows(1)[0], 1)
    save(index, tmp_path, PRINT, "")
    tight = IndexSettings(max_vectors=len(index))
    restored = load(tmp_path, PRINT, DIMENSION, tight)
    assert restored is not None
    again = load(tmp_path, PRINT, DIMENSION, tight)
    assert again is not None
    index._settings = tight  # the same bound for the one that was never saved
    for number, vector in enumerate(rows(30, 5)):
        for one in (index, restored.index, again.index):
            await one.add(b"other", b"o%d" % number, vector, 1e9)
        held = [{k for ks in one.keys() for k in ks} for one in (index, restored.index)]  # noqa: SIM118
        assert held[0] == held[1]
    for one in (index, restored.index, again.index):
        await one.aclose()


async def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    index = PartitionedIndex(DIMENSION, SETTINGS)
    save(index, tmp_path, PRINT, "c")
    restored = load(tmp_path, PRINT, DIMENSION, SETTINGS)
    assert restored is not None
    assert (len(restored.index), restored.cursor) == (0, "c")


def test_where_there_is_none_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(tmp_path / "nowhere", PRINT, DIMENSION, SETTINGS) is None
    assert not caplog.records


async def test_one_of_another_embedder_or_dimension_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = await filled(60)
    save(index, tmp_path, PRINT, "c")
    assert load(tmp_path, "another", DIMENSION, SETTINGS) is None
    assert load(tmp_path, PRINT, DIMENSION + 1, SETTINGS) is None
    monkeypatch.setattr(snapshot, "_LAYOUT", 99)
    assert load(tmp_path, PRINT, DIMENSION, SETTINGS) is None
    assert [r.message for r in caplog.records] == ["snapshot of the index not used"] * 3
    await index.aclose()


async def test_a_new_one_takes_the_place_of_the_old_and_leftovers_go(tmp_path: Path) -> None:
    index, model = await filled(120)
    (tmp_path / "snapshot-half").mkdir()
    (tmp_path / "snapshot-half" / "graph-0.hnsw").write_bytes(b"x")
    for number in range(3):
        save(index, tmp_path, PRINT, str(number))
    assert folders(tmp_path) == 1
    restored = load(tmp_path, PRINT, DIMENSION, SETTINGS)
    assert restored is not None
    assert restored.cursor == "2"
    await assert_same(restored.index, model)
    await index.aclose()
    await restored.index.aclose()


async def test_a_flipped_byte_anywhere_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In this process: had hnswlib seen a damaged file, it could have ended it."""
    index, _ = await filled(200)
    save(index, tmp_path, PRINT, "c")
    rng, files = Random(3), files_of(tmp_path)
    assert len(files) >= 4
    tries = 0
    for path in files:
        whole = path.read_bytes()
        for _ in range(12):
            at = rng.randrange(len(whole))
            damaged = bytearray(whole)
            damaged[at] ^= 1 << rng.randrange(8)
            path.write_bytes(damaged)
            if damaged.split() != whole.split():  # other white space at the end says the same
                tries += 1
                assert load(tmp_path, PRINT, DIMENSION, SETTINGS) is None
        for length in (0, len(whole) // 2, len(whole) - 2):
            path.write_bytes(whole[:length])
            tries += 1
            assert load(tmp_path, PRINT, DIMENSION, SETTINGS) is None
        path.unlink()
        gone = load(tmp_path, PRINT, DIMENSION, SETTINGS)
        assert gone is None
        path.write_bytes(whole)
    refused = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert tries <= len(refused) <= tries + len(files)
    assert load(tmp_path, PRINT, DIMENSION, SETTINGS) is not None
    await index.aclose()


async def test_a_graph_that_does_not_fit_on_the_disk_leaves_the_old_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = await filled(120)
    save(index, tmp_path, PRINT, "old")

    def short(self: HnswIndex, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(HnswIndex, "save", short)
    with pytest.raises(OSError, match="No space"):
        save(index, tmp_path, PRINT, "new")
    restored = load(tmp_path, PRINT, DIMENSION, SETTINGS)
    assert restored is not None
    assert restored.cursor == "old"
    assert folders(tmp_path) == 1
    await index.aclose()


_SAVER = """
import asyncio, sys
from pathlib import Path
from tests.cachemw.index.test_snapshot import PRINT, filled, save

async def main():
    index, _ = await filled(int(sys.argv[2]), 1)
    print("ready", flush=True)
    number = 0
    while True:
        save(index, Path(sys.argv[1]), PRINT, str(number))
        number += 1
        print(number, flush=True)

asyncio.run(main())
"""


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python code in a process, which does not outlive the block."""
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_kill_at_any_instruction_leaves_the_old_or_the_new_one(tmp_path: Path) -> None:
    rng = Random(5)
    for _ in range(4):
        with running(_SAVER, str(tmp_path), "600") as saver:
            assert saver.stdout is not None
            assert saver.stdout.readline() == b"ready\n"
            assert saver.stdout.readline() == b"1\n"
            time.sleep(rng.random() * 0.1)  # the instant of death
            saver.send_signal(signal.SIGKILL)
            said = [b"1", *saver.stdout.read().split()]
        restored = load(tmp_path, PRINT, DIMENSION, SETTINGS)
        assert restored is not None
        # The last one that was said to be there, or the one under way.
        assert int(restored.cursor) + 1 in (int(said[-1]), int(said[-1]) + 1)
        assert len(restored.index) > 300


_HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_two_cannot_write_at_once(tmp_path: Path) -> None:
    index = PartitionedIndex(DIMENSION, SETTINGS)
    with running(_HOLDER, str(tmp_path / "lock")) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            save(index, tmp_path, PRINT, "c")
    save(index, tmp_path, PRINT, "c")
