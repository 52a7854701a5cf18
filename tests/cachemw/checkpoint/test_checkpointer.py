"""The serving process's side: when a snapshot is written, and what becomes of a failure."""

from __future__ import annotations

import asyncio

from cachemw.checkpoint.checkpointer import Checkpointer
from cachemw.checkpoint.job import CheckpointJob
from cachemw.index.snapshot import load
from cachemw.metrics import Metrics
from cachemw.stores.base import DocumentStore
from tests.cachemw.checkpoint.conftest import FINGERPRINT, document
from tests.support.service import WordEmbedder


def outcomes(metrics: Metrics) -> dict[str, float]:
    samples = [s for family in metrics.snapshots.collect() for s in family.samples]
    return {s.labels["outcome"]: s.value for s in samples if s.name.endswith("_total")}


def checkpointer(job: CheckpointJob, metrics: Metrics) -> Checkpointer:
    return Checkpointer(job.folder, job.index, job.store, metrics, worth_it=1)


async def test_a_snapshot_is_written_and_counted(job: CheckpointJob, store: DocumentStore) -> None:
    await store.put(document(1))
    metrics = Metrics()
    await checkpointer(job, metrics).run(WordEmbedder(), 1)
    assert outcomes(metrics) == {"written": 1.0}
    restored = load(job.folder, FINGERPRINT, job.dimension, job.index)
    assert restored is not None
    assert restored.index.holds(document(1).key)


async def test_a_small_index_is_not_worth_one(job: CheckpointJob) -> None:
    metrics = Metrics()
    await checkpointer(job, metrics).run(WordEmbedder(), 0)
    assert outcomes(metrics) == {}
    assert not job.folder.exists()


async def test_a_failure_costs_nothing_but_a_count(job: CheckpointJob) -> None:
    metrics = Metrics()
    job.store.path.mkdir()
    await checkpointer(job, metrics).run(WordEmbedder(), 1)
    assert outcomes(metrics) == {"failed": 1.0}


async def test_the_end_of_the_service_ends_it(job: CheckpointJob, store: DocumentStore) -> None:
    writing = checkpointer(job, Metrics())
    task = asyncio.create_task(writing.run(WordEmbedder(), 1))
    while writing.process is None and not task.done():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    await writing.aclose()
    await task
