"""A thread that owns a SQLite connection, and the queue that feeds it from the event loop.

A call becomes a `Job`: its work is carried out in the thread, its future is settled on the loop.
The loop never waits for SQLite, and the thread never touches a future.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from cachemw.errors import StoreUnavailable
from cachemw.stores.sqlite_file import unavailable

#: Bytes of documents that may wait: as many of the largest ones as may queue would be gigabytes.
_QUEUED_BYTES = 64 << 20

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Job(Generic[_T]):
    """Work for a thread. `result` and `error` are the thread's until it hands the job back."""

    work: Callable[[sqlite3.Connection], _T]
    future: asyncio.Future[_T]
    size: int
    result: _T | None = None
    error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Work, unless nobody waits any more. Raises `sqlite3.Error`; keeps other errors."""
        if self.future.done():
            return
        try:
            self.result = self.work(connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            self.error = error

    def settle(self) -> None:
        """On the event loop: pass the outcome to whoever waits."""
        if self.error is not None:
            _fail(self.future, self.error)
        else:
            _succeed(self.future, cast("_T", self.result))

    def expire(self) -> None:
        """On the event loop: the time limit has passed."""
        _fail(self.future, StoreUnavailable("the document store took too long"))


#: Carries out jobs in the thread, and leaves in each its result or error.
RunJobs = Callable[[sqlite3.Connection, Sequence[Job[Any]]], None]


def run_each(connection: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> None:
    """Carry out jobs that only read, each on its own."""
    for job in jobs:
        try:
            job.run(connection)
        except sqlite3.Error as error:
            job.error = unavailable(error)


def run_transaction(
    connection: sqlite3.Connection,
    jobs: Sequence[Job[Any]],
    *,
    before_commit: Callable[[sqlite3.Connection], None],
) -> None:
    """Carry out all jobs in one transaction: all of them are kept, or none."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            job.run(connection)
        before_commit(connection)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        for job in jobs:
            job.error = unavailable(error)
        # If even this fails the next BEGIN fails too, and reports it.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


class ConnectionThread:
    """A thread that owns the connection `connect` returns.

    `run` is called in the thread with up to `batch` jobs at a time: all that were waiting. At most
    `queue_limit` jobs and 64 MiB wait.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], sqlite3.Connection],
        run: RunJobs,
        *,
        batch: int,
        queue_limit: int,
    ) -> None:
        self._name = name
        self._connect = connect
        self._run = run
        self._batch = batch
        self._queue_limit = queue_limit
        #: None asks the thread to end.
        self._queue: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._pending = 0
        self._pending_bytes = 0
        self._accepting = False
        self._finished: asyncio.Future[None] | None = None

    async def start(self, deadline: float) -> None:
        """Start the thread and wait for its connection; raises what `connect` raises.

        Raises `StoreUnavailable` past `deadline` (of the loop's clock).
        """
        loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = loop.create_future()
        self._finished = loop.create_future()
        # A daemon: a process that dies without aclose() must not hang on an idle thread.
        threading.Thread(
            target=self._main, args=(loop, started, self._finished), name=self._name, daemon=True
        ).start()
        try:
            async with asyncio.timeout_at(deadline):
                await started
        except (TimeoutError, asyncio.CancelledError) as error:
            self._queue.put(None)  # it may still be connecting: ends as soon as it is done
            if isinstance(error, TimeoutError):
                msg = "the document store did not open in time"
                raise StoreUnavailable(msg) from None
            raise
        self._accepting = True

    async def call(
        self, work: Callable[[sqlite3.Connection], _T], deadline: float, size: int = 0
    ) -> _T:
        """Return `work(connection)`, carried out in the thread; `size` is the bytes it carries.

        Raises what it raises, and `StoreUnavailable` past `deadline` (of the loop's clock), with
        too many jobs waiting, or when the thread does not run.
        """
        self._check_room(size)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        self._pending += 1
        self._pending_bytes += size
        job = Job(work, future, size)
        self._queue.put(job)
        timer = loop.call_at(deadline, job.expire)
        try:
            return await future
        finally:
            timer.cancel()

    def stop(self) -> None:
        """Refuse further calls; the thread carries out what is queued, closes and ends."""
        if self._accepting:
            self._accepting = False
            self._queue.put(None)

    async def aclose(self, timeout_s: float) -> None:
        """Stop and wait for the end; raises `StoreUnavailable` past `timeout_s`."""
        self.stop()
        if self._finished is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._finished), timeout_s)
        except TimeoutError:
            msg = f"the document store did not close within {timeout_s} s"
            raise StoreUnavailable(msg) from None

    def _check_room(self, size: int) -> None:
        if not self._accepting:
            msg = "the document store is not open"
            raise StoreUnavailable(msg)
        # With nothing waiting any size is let in: how large one may be is not decided here.
        too_large = self._pending > 0 and self._pending_bytes + size > _QUEUED_BYTES
        if self._pending >= self._queue_limit or too_large:
            msg = (
                f"{self._pending} operations with {self._pending_bytes} bytes wait for the "
                "document store already"
            )
            raise StoreUnavailable(msg)

    def _settle(self, jobs: Sequence[Job[Any]]) -> None:
        for job in jobs:
            self._pending -= 1
            self._pending_bytes -= job.size
            job.settle()

    # What follows runs in the thread.

    def _main(
        self,
        loop: asyncio.AbstractEventLoop,
        started: asyncio.Future[None],
        finished: asyncio.Future[None],
    ) -> None:
        try:
            try:
                connection = self._connect()
            except Exception as error:  # noqa: BLE001 - raised again by start()
                _post(loop, _fail, started, error)
                return
            _post(loop, _succeed, started, None)
            with closing(connection):
                while jobs := self._take():
                    self._run(connection, jobs)
                    _post(loop, self._settle, jobs)
        finally:
            _post(loop, _succeed, finished, None)

    def _take(self) -> list[Job[Any]]:
        """Wait for a job and return it with those behind it; empty when it is time to end."""
        jobs: list[Job[Any]] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == self._batch:
                return jobs
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # nothing comes after it: met again once these are done
        return jobs


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: object) -> None:
    # The loop can be gone if the process ends without aclose(); then nobody waits either.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *args)


def _succeed(future: asyncio.Future[_T], result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
