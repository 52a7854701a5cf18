"""Loading the semantic tier from a snapshot and the change log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cachemw.changes import ChangeFeed
from cachemw.checkpoint.job import CheckpointJob
from cachemw.checkpoint.worker import write_snapshot
from cachemw.embed.settings import EmbedderSettings
from cachemw.exact import ExactTier, Resident
from cachemw.index.partitions import IndexSettings
from cachemw.loading import LoadingSettings, SemanticLoader
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.semantic import SemanticSettings, SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore
from tests.cachemw.checkpoint.conftest import document, job, store
from tests.support.service import Clock, WordEmbedder

__all__ = ["job", "store"]


@asynccontextmanager
async def loaded(
    store: DocumentStore, snapshots: Path, clock: Clock
) -> AsyncIterator[SemanticLoader]:
    metrics = Metrics()
    exact = ExactTier(ByteLru[Resident](0), store, DependencyState("store"), metrics, clock)
    feed = ChangeFeed(
        store, exact, DependencyState("store"), metrics, origin="x", monotonic=time.monotonic
    )
    state = DependencyState("semantic")
    tier = SemanticTier(SemanticSettings(0.9, 8, 2000), exact, state, metrics)
    settings = LoadingSettings(
        snapshots, snapshots, EmbedderSettings(), IndexSettings(switch_at=50)
    )
    loader = SemanticLoader(
        settings, tier, feed, state, clock=clock, load=lambda *_: WordEmbedder()
    )
    await loader.load()
    yield loader
    await loader.aclose()


def keys(loader: SemanticLoader) -> set[bytes]:
    assert loader.parts is not None
    return {key for batch in loader.parts.index.keys() for key in batch}  # noqa: SIM118


async def test_from_a_snapshot_and_what_came_after_it(
    job: CheckpointJob, store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(80):
        await store.put(document(number))
    await write_snapshot(job)
    await store.delete(document(1).key)
    await store.put(document(80))

    def walk(_fingerprint: str) -> None:
        raise AssertionError

    monkeypatch.setattr(store, "index_rows", walk)
    async with loaded(store, job.folder, Clock(time.time())) as loader:
        assert keys(loader) == {document(n).key for n in range(81) if n != 1}


async def test_a_damaged_snapshot_costs_time_and_nothing_else(
    job: CheckpointJob, store: DocumentStore
) -> None:
    await store.put(document(1))
    await write_snapshot(job)
    for path in job.folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
    async with loaded(store, job.folder, Clock(time.time())) as loader:
        assert keys(loader) == {document(1).key}


async def test_what_expires_leaves_the_index(
    job: CheckpointJob, store: DocumentStore, tmp_path: Path
) -> None:
    clock = Clock(time.time())
    await store.put(document(1, lives=100))
    await store.put(document(2, lives=1000))
    async with loaded(store, tmp_path / "none", clock) as loader:
        clock.now += 500
        await loader.expire()
        assert keys(loader) == {document(2).key}
