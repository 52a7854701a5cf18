"""Loading the semantic tier from a snapshot and the change log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from cachemw_policies.category import CategoryPolicy

from cachemw.changes import ChangeFeed
from cachemw.checkpoint.job import CheckpointJob
from cachemw.checkpoint.worker import write_snapshot
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import ConfigError
from cachemw.index.partitions import IndexSettings
from cachemw.loading import LoadedInto, LoadingSettings, SemanticLoader
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore
from cachemw.verify.base import QuestionPair, Scores, Verifier
from cachemw.verify.settings import VerifierSettings
from tests.cachemw import parts
from tests.cachemw.checkpoint.conftest import document, job, store
from tests.support.service import Clock, WordEmbedder
from tests.support.tiers import exact_tier

__all__ = ["job", "store"]


class Bench:
    """What a loader loads into."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self.metrics = metrics = Metrics()
        self.known = parts.board()
        self.state = DependencyState("semantic")
        exact = exact_tier(store, clock, metrics, categories=self.known)
        feed = ChangeFeed(
            store, exact, DependencyState("store"), metrics, origin="x", monotonic=time.monotonic
        )
        self.tier = parts.semantic_tier(self.known, self.state, metrics, clock)
        learner = parts.learner(store, self.known, metrics)
        self.into = LoadedInto(self.tier, exact, feed, learner, metrics)


@asynccontextmanager
async def loaded(
    store: DocumentStore,
    snapshots: Path,
    clock: Clock,
    bench: Bench | None = None,
    verifier: Verifier | None = None,
) -> AsyncIterator[SemanticLoader]:
    bench = bench or Bench(store, clock)
    settings = LoadingSettings(
        snapshots,
        snapshots,
        EmbedderSettings(),
        IndexSettings(switch_at=50),
        VerifierSettings(),
        snapshots / "examples",
        3,
    )
    loader = SemanticLoader(
        settings,
        bench.into,
        bench.state,
        clock=clock,
        load=lambda *_: WordEmbedder(),
        load_judge=lambda *_: verifier,
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


class Sure(Verifier):
    """Takes all questions for the same."""

    fingerprint = "sure"
    closed = False

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        return np.ones(len(pairs), dtype=np.float32)

    def close(self) -> None:
        self.closed = True


async def test_scores_are_on_the_verifiers_scale_and_it_is_closed_at_the_end(
    store: DocumentStore, tmp_path: Path
) -> None:
    clock, verifier = Clock(time.time()), Sure()
    bench = Bench(store, clock)
    async with loaded(store, tmp_path / "none", clock, bench, verifier):
        assert bench.known.scale == "sure"
        assert not verifier.closed
    assert verifier.closed


async def test_without_a_verifier_the_scale_is_the_embedders_cosine(
    store: DocumentStore, tmp_path: Path
) -> None:
    clock = Clock(time.time())
    bench = Bench(store, clock)
    async with loaded(store, tmp_path / "none", clock, bench):
        assert bench.known.scale == f"cosine {WordEmbedder.fingerprint}"


async def test_categories_are_named_as_soon_as_it_is_loaded(
    store: DocumentStore, tmp_path: Path
) -> None:
    clock = Clock(time.time())
    bench = Bench(store, clock)
    examples = {name: tuple(f"{name} {number}" for number in range(4)) for name in ("code", "math")}
    chosen = [CategoryPolicy(name, examples=texts) for name, texts in examples.items()]
    bench.known.use(parts.policies(*chosen), None)
    vector = WordEmbedder().embed(["math 9"])[0]
    assert bench.known.classify(vector) == "default"
    async with loaded(store, tmp_path / "none", clock, bench):
        assert bench.known.classify(vector) == "math"


async def test_a_verifier_that_does_not_load_leaves_everything_a_miss(
    store: DocumentStore, tmp_path: Path
) -> None:
    clock = Clock(time.time())
    bench = Bench(store, clock)

    def none(*_: object) -> Verifier:
        raise ConfigError("no such model")

    settings = LoadingSettings(
        tmp_path, tmp_path, EmbedderSettings(), IndexSettings(), VerifierSettings(), tmp_path, 3
    )
    loader = SemanticLoader(
        settings,
        bench.into,
        bench.state,
        clock=clock,
        load=lambda *_: WordEmbedder(),
        load_judge=none,
    )
    await loader.load()
    assert loader.parts is None
    assert not bench.state.is_up
    await loader.aclose()
