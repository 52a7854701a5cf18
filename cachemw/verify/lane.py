"""The verifier off the event loop: one thread that owns it, and callers who wait for a short time.

What waits together is scored together. The event loop owns all state here; the thread sees only the
queue, and answers through `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachemw.errors import VerifierUnavailable
from cachemw.verify.base import QuestionPair, Verifier

Found = list[float | None]


@dataclass(eq=False, slots=True)
class _Job:
    """Pairs on their way to the thread, and who waits for their scores.

    A failure is a result like any other: an exception that nobody fetches would be logged.
    """

    pairs: tuple[QuestionPair, ...]
    outcome: asyncio.Future[Found | Exception]
    gone: bool = False  # set by the loop when nobody waits any more, read by the thread


@dataclass(slots=True)
class LaneStats:
    """Counts since the start.

    requests:  calls of `score`; of them were turned away, timed out, or failed so many.
    pairs:     that the verifier was given, in so many batches.
    busy_s:    seconds that the thread spent scoring.
    """

    requests: int = 0
    turned_away: int = 0
    timed_out: int = 0
    failed: int = 0
    pairs: int = 0
    batches: int = 0
    busy_s: float = 0.0


class VerifierLane:
    """Scores pairs for many tasks on one thread, which owns the verifier and closes it."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        timeout_s: float = 0.05,
        max_batch: int = 8,
        max_queue: int = 64,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Serve `verifier`.

        Args:
            verifier: called from the thread only, once `start` was.
            timeout_s: longest wait of one call of `score`, queue included.
            max_batch: pairs of several calls that are scored together; those of one always are.
            max_queue: calls that may wait for the thread.
            clock: seconds, for `LaneStats.busy_s`.
        """
        self.fingerprint = verifier.fingerprint
        self.stats = LaneStats()
        self._verifier = verifier
        self._timeout_s = timeout_s
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._clock = clock
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many calls wait for the thread, beside the one that it is at."""
        return self._queue.qsize()

    async def start(self) -> None:
        """Start the thread. Call once, from the loop that will call `score`."""
        loop = asyncio.get_running_loop()
        # A daemon: a loop that died without aclose() must not keep the process alive.
        self._thread = threading.Thread(
            target=self._work, args=(loop,), name="cachemw-verify", daemon=True
        )
        self._thread.start()

    async def aclose(self) -> None:
        """Take nothing more, score what still waits, close the verifier and join the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def score(self, pairs: Sequence[QuestionPair], timeout_s: float | None = None) -> Found:
        """Return probabilities in [0, 1], None for a pair of which the verifier says no such thing.

        Args:
            pairs: what to score.
            timeout_s: longest wait, where it is not that of all calls.

        Raises:
            VerifierUnavailable: too many calls wait, there was no answer in time, the verifier
                failed, or the lane is not running.
        """
        self.stats.requests += 1
        if not pairs:
            return []
        limit = self._timeout_s if timeout_s is None else timeout_s
        job = self._enqueue(pairs)
        try:
            # Not asyncio.timeout: with a busy loop both are ready at once, and it drops the answer.
            await asyncio.wait((job.outcome,), timeout=limit)
        finally:
            job.gone = True
        if not job.outcome.done():
            self.stats.timed_out += 1
            raise VerifierUnavailable(f"no score within {limit} s")
        outcome = job.outcome.result()
        if isinstance(outcome, Exception):
            self.stats.failed += 1
            raise VerifierUnavailable(f"the verifier failed: {type(outcome).__name__}") from outcome
        return outcome

    def _enqueue(self, pairs: Sequence[QuestionPair]) -> _Job:
        if self._thread is None:
            self.stats.turned_away += 1
            raise VerifierUnavailable("the verifier is not running")
        if self._queue.qsize() >= self._max_queue:
            self.stats.turned_away += 1
            raise VerifierUnavailable(f"the verifier's queue of {self._max_queue} is full")
        job = _Job(tuple(pairs), asyncio.get_running_loop().create_future())
        self._queue.put(job)
        return job

    # ---- the thread ----

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            held: _Job | None = None
            while (first := held or self._queue.get()) is not None:
                batch, held, closing = self._collect(first)
                if batch and not self._answer(loop, batch):
                    return
                if closing:
                    return
        finally:
            self._verifier.close()

    def _collect(self, first: _Job) -> tuple[list[_Job], _Job | None, bool]:
        """Return what is waited for and fits together, what does not fit, and whether to stop."""
        batch = [] if first.gone else [first]
        size = sum(len(job.pairs) for job in batch)
        while not self._queue.empty():
            job = self._queue.get()
            if job is None:
                return batch, None, True
            if job.gone:
                continue
            if batch and size + len(job.pairs) > self._max_batch:
                return batch, job, False
            batch.append(job)
            size += len(job.pairs)
        return batch, None, False

    def _answer(self, loop: asyncio.AbstractEventLoop, batch: Sequence[_Job]) -> bool:
        """Score `batch` and hand the outcome to `loop`; return False if the loop is gone."""
        pairs = [pair for job in batch for pair in job.pairs]
        started = self._clock()
        outcome: Found | Exception
        try:
            outcome = [_probability(score) for score in self._verifier.score(pairs).tolist()]
            if len(outcome) != len(pairs):
                outcome = ValueError(f"{len(outcome)} scores for {len(pairs)} pairs")
        except Exception as error:  # noqa: BLE001 - whatever a model raises goes to its waiters
            outcome = error
        busy_s = self._clock() - started
        try:
            loop.call_soon_threadsafe(self._settle, batch, outcome, busy_s)
        except RuntimeError:  # the loop was closed without aclose(): nobody is left to answer
            return False
        return True

    # ---- the event loop again ----

    def _settle(self, batch: Sequence[_Job], outcome: Found | Exception, busy_s: float) -> None:
        self.stats.batches += 1
        self.stats.busy_s += busy_s
        start = 0
        for job in batch:
            end = start + len(job.pairs)
            job.outcome.set_result(
                outcome if isinstance(outcome, Exception) else outcome[start:end]
            )
            start = end
        self.stats.pairs += start


def _probability(score: float) -> float | None:
    """Return `score` where it is a probability. A caller would compare a NaN with a threshold."""
    return score if math.isfinite(score) and 0.0 <= score <= 1.0 else None
