"""Snapshots are written from the last one and the change log, by one process at a time."""

from __future__ import annotations

import fcntl
import subprocess
import sys

import pytest

from cachemw.checkpoint.job import CheckpointJob
from cachemw.checkpoint.worker import EXIT_BUSY, EXIT_DONE, EXIT_FAILED, write_snapshot
from cachemw.index.snapshot import load
from cachemw.stores.base import DocumentStore, IndexRow
from cachemw.stores.sqlite import SqliteStore
from tests.cachemw.checkpoint.conftest import document


def saved(job: CheckpointJob) -> tuple[set[bytes], str]:
    restored = load(job.folder, job.fingerprint, job.dimension, job.index)
    assert restored is not None
    return {key for keys in restored.index.keys() for key in keys}, restored.cursor  # noqa: SIM118


def run(job: CheckpointJob) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cachemw.checkpoint.worker"],
        input=job.to_json(),
        capture_output=True,
        timeout=100,
        check=False,
    )


async def test_the_first_snapshot_holds_what_the_store_does(
    job: CheckpointJob, store: DocumentStore
) -> None:
    for number in range(120):  # past the switch to a graph
        await store.put(document(number))
    await write_snapshot(job)
    keys, cursor = saved(job)
    assert keys == {document(number).key for number in range(120)}
    assert (await store.changes(cursor, 10)).changes == ()


async def test_the_next_one_is_the_last_one_and_the_log(
    job: CheckpointJob, store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        await store.put(document(number))
    await write_snapshot(job)
    await store.delete(document(3).key)
    await store.put(document(100))

    def walk(_store: SqliteStore, _fingerprint: str) -> list[IndexRow]:
        raise AssertionError

    monkeypatch.setattr(SqliteStore, "index_rows", walk)
    await write_snapshot(job)
    assert saved(job)[0] == {document(n).key for n in (*range(60), 100) if n != 3}


async def test_what_has_expired_is_not_in_it(job: CheckpointJob, store: DocumentStore) -> None:
    await store.put(document(1, lives=0.05))
    await store.put(document(2))
    await write_snapshot(job)
    await write_snapshot(job)
    keys, _ = saved(job)
    assert document(2).key in keys


async def test_as_a_process(job: CheckpointJob, store: DocumentStore) -> None:
    await store.put(document(1))
    done = run(job)
    assert (done.returncode, done.stdout) == (EXIT_DONE, b"")
    assert saved(job)[0] == {document(1).key}


async def test_two_do_not_write_at_once(job: CheckpointJob, store: DocumentStore) -> None:
    with (job.folder.parent / "index.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(job).returncode == EXIT_BUSY


async def test_a_store_that_cannot_be_read_is_a_failure_that_says_its_kind(
    job: CheckpointJob,
) -> None:
    job.store.path.write_bytes(b"not a database, and long enough to be seen as none" * 20)
    done = run(job)
    assert (done.returncode, done.stderr) == (EXIT_FAILED, b"ConfigError")
