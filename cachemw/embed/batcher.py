"""Micro-batches: one worker thread embeds whatever queued up while it was busy.

A request that finds the worker idle is embedded at once and alone; nothing waits for company. Under
load the batch grows to what arrived meanwhile. The event loop owns all state here; the thread sees
only the queue, and answers through `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import Embedder
from cachemw.embed.recent import RecentVectors
from cachemw.errors import EmbedderUnavailable

Vector = NDArray[np.float32]


@dataclass(eq=False, slots=True)
class _Job:
    """A text on its way to the worker, and everyone who waits for it."""

    text: str
    waiters: list[asyncio.Future[Vector]] = field(default_factory=list)
    # Set by the loop when nobody waits any more, read by the worker. A job once cancelled gains no
    # waiter: the next request for its text makes a new one.
    cancelled: bool = False


@dataclass(slots=True)
class BatcherStats:
    """Counts since the start.

    busy_s:  seconds that the worker spent embedding.
    """

    requests: int = 0
    from_recent: int = 0
    joined: int = 0
    turned_away: int = 0
    timed_out: int = 0
    failed_batches: int = 0
    batches: int = 0
    texts: int = 0
    busy_s: float = 0.0


class MicroBatcher:
    """Embeds single texts from many tasks on one worker thread. Does not own the embedder."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        max_batch: int = 32,
        max_queue: int = 256,
        timeout_s: float = 0.5,
        recent_bytes: int = 8 * 1024 * 1024,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Serve `embedder`.

        Args:
            embedder: called from the worker thread only.
            max_batch: texts per call of the embedder.
            max_queue: texts that may wait for the worker.
            timeout_s: longest wait of one request, queue included.
            recent_bytes: memory for the vectors of recent texts.
            clock: seconds, for `BatcherStats.busy_s`.
        """
        self.stats = BatcherStats()
        self._embedder = embedder
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._timeout_s = timeout_s
        self._clock = clock
        self._recent = RecentVectors(recent_bytes)
        self._in_flight: dict[str, _Job] = {}
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Start the worker thread. Call once, from the loop that will call `embed`."""
        self._loop = asyncio.get_running_loop()
        # A daemon: a loop that died without aclose() must not keep the process alive.
        self._thread = threading.Thread(
            target=self._work, args=(self._loop,), name="cachemw-embed", daemon=True
        )
        self._thread.start()

    async def aclose(self) -> None:
        """Fail what waits, let the running batch end, and join the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        for job in self._in_flight.values():
            job.cancelled = True
            _fail(job, "the embedder is closing", None)
        self._in_flight.clear()
        self._queue.put(None)
        await asyncio.to_thread(thread.join)

    async def embed(self, text: str) -> Vector:
        """Return the vector of `text`, shape [dimension], read-only and shared with others.

        Raises:
            EmbedderUnavailable: the queue is full, the wait took over `timeout_s`, the embedder
                failed on this batch, or the batcher is not running.
        """
        self.stats.requests += 1
        vector = self._recent.get(text)
        if vector is not None:
            self.stats.from_recent += 1
            return vector
        job = self._join(text)
        waiter: asyncio.Future[Vector] = asyncio.get_running_loop().create_future()
        job.waiters.append(waiter)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await waiter
        except TimeoutError:
            self.stats.timed_out += 1
            raise EmbedderUnavailable(f"no embedding within {self._timeout_s} s") from None
        finally:
            self._leave(job, waiter)

    def _join(self, text: str) -> _Job:
        """Return the job in flight for `text`, or queue a new one."""
        if self._thread is None:
            raise EmbedderUnavailable("the embedder is not running")
        job = self._in_flight.get(text)
        if job is not None:
            self.stats.joined += 1
            return job
        if self._queue.qsize() >= self._max_queue:
            self.stats.turned_away += 1
            raise EmbedderUnavailable(f"the embedder's queue of {self._max_queue} is full")
        job = self._in_flight[text] = _Job(text)
        self._queue.put(job)
        return job

    def _leave(self, job: _Job, waiter: asyncio.Future[Vector]) -> None:
        """Take `waiter` off `job`; a job that nobody waits for is not embedded any more."""
        job.waiters.remove(waiter)
        if waiter.done() and not waiter.cancelled():
            waiter.exception()  # retrieved, even if its task was cancelled before it could look
        if not job.waiters and self._in_flight.get(job.text) is job:
            job.cancelled = True
            del self._in_flight[job.text]

    # ---- the worker thread ----

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            closing = False
            while len(batch) < self._max_batch and not self._queue.empty():
                job = self._queue.get()
                if job is None:
                    closing = True
                    break
                batch.append(job)
            for group in _by_length([job for job in batch if not job.cancelled]):
                if not self._answer(loop, group):
                    return
            if closing:
                return

    def _answer(self, loop: asyncio.AbstractEventLoop, group: Sequence[_Job]) -> bool:
        """Embed `group` and hand the outcome to `loop`; return False if the loop is gone."""
        started = self._clock()
        outcome: Vector | Exception
        try:
            outcome = self._embedder.embed([job.text for job in group])
            if len(outcome) != len(group):
                outcome = ValueError(f"{len(outcome)} vectors for {len(group)} texts")
        except Exception as error:  # noqa: BLE001 - whatever a model raises goes to its waiters
            outcome = error
        busy_s = self._clock() - started
        try:
            loop.call_soon_threadsafe(self._settle, group, outcome, busy_s)
        except RuntimeError:  # the loop was closed without aclose(): nobody is left to answer
            return False
        return True

    # ---- the event loop again ----

    def _settle(self, group: Sequence[_Job], outcome: Vector | Exception, busy_s: float) -> None:
        self.stats.batches += 1
        self.stats.texts += len(group)
        self.stats.busy_s += busy_s
        failed = isinstance(outcome, Exception)
        self.stats.failed_batches += failed
        for row, job in enumerate(group):
            if self._in_flight.get(job.text) is job:
                del self._in_flight[job.text]
            if isinstance(outcome, Exception):
                _fail(job, f"the embedder failed: {type(outcome).__name__}", outcome)
                continue
            vector = outcome[row].copy()  # its own memory: a row would keep the batch alive
            vector.flags.writeable = False
            self._recent.put(job.text, vector)
            for waiter in job.waiters:
                if not waiter.done():
                    waiter.set_result(vector)


def _fail(job: _Job, message: str, cause: Exception | None) -> None:
    for waiter in job.waiters:
        if not waiter.done():
            # One instance each: a shared one would collect every waiter's traceback.
            error = EmbedderUnavailable(message)
            error.__cause__ = cause
            waiter.set_exception(error)


def _by_length(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """Yield `jobs` in groups of similar length, shortest first.

    So a short text is answered before, and not padded to, a long one that came with it. The
    embedder packs by exact token counts within a group.
    """
    group: list[_Job] = []
    for job in sorted(jobs, key=lambda job: len(job.text)):
        if group and len(job.text) > 4 * len(group[0].text) + 200:
            yield group
            group = []
        group.append(job)
    if group:
        yield group
