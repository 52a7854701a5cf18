"""The process that writes a snapshot: `python -m cachemw.checkpoint.worker`, its job on stdin."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cachemw.changes import ChangeFeed, Followed
from cachemw.checkpoint.job import CheckpointJob
from cachemw.errors import CachemwError
from cachemw.index.partitions import PartitionedIndex
from cachemw.index.snapshot import load, save
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.table import make_store

EXIT_DONE = 0
EXIT_FAILED = 1
# Another worker of this machine has its own snapshot under way, of the same index.
EXIT_BUSY = 3


class _NoCopies:
    """This process keeps no documents."""

    def forget(self, keys: Iterable[bytes]) -> None:
        """Nothing to drop."""

    def forget_all(self) -> None:
        """Nothing to drop."""


def main() -> int:
    """Carry out the job on stdin; returns the exit code."""
    os.nice(19)  # requests go first
    job = CheckpointJob.from_json(sys.stdin.buffer.read())
    try:
        with _sole_writer(job.folder) as alone:
            if not alone:
                return EXIT_BUSY
            asyncio.run(write_snapshot(job))
    except (CachemwError, OSError) as error:
        sys.stderr.write(type(error).__name__)
        return EXIT_FAILED
    return EXIT_DONE


async def write_snapshot(job: CheckpointJob) -> None:
    """Bring the snapshot up to the end of the change log. Raises StoreUnavailable, OSError."""
    store = make_store(job.store, time.time, lambda _key: None)
    await store.start()
    restored = load(job.folder, job.fingerprint, job.dimension, job.index)
    index, cursor = PartitionedIndex(job.dimension, job.index), ""
    if restored is not None:
        index, cursor = restored.index, restored.cursor
    state = DependencyState("store")
    feed = ChangeFeed(store, _NoCopies(), state, Metrics(), origin="", monotonic=time.monotonic)
    try:
        await feed.attach(Followed(index, job.fingerprint), cursor)
        await feed.catch_up()
        await index.expire(time.time())
        await index.settled()
        save(index, job.folder, job.fingerprint, feed.cursor)
    finally:
        await index.aclose()
        await store.aclose()


@contextmanager
def _sole_writer(folder: Path) -> Iterator[bool]:
    """Yield whether no other process is about to write here; the lock ends with the process.

    From before the last snapshot is read: two that begin from the same one would do the same work.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock_file(folder).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _lock_file(folder: Path) -> Path:
    # Beside the folder: what is in it is the snapshot's.
    return folder.with_name(f"{folder.name}.lock")


if __name__ == "__main__":
    sys.exit(main())
