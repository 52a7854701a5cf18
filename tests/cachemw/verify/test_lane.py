from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachemw.errors import CacheComponentError, VerifierUnavailable
from cachemw.verify.base import QuestionPair, Scores, Verifier
from cachemw.verify.lane import VerifierLane


class FakeVerifier(Verifier):
    """Scores with the similarity when its gate is open; fails on a pair whose question is 'bad'."""

    fingerprint = "fake"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self.closed = 0
        self.surplus = 0

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        assert not self.closed
        self.batches.append([pair.asked for pair in pairs])
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.gate.wait(30)
        if any(pair.asked == "bad" for pair in pairs):
            raise RuntimeError("no such luck")
        return np.array([pair.similarity for pair in pairs] + [0.5] * self.surplus, np.float32)

    def close(self) -> None:
        self.closed += 1


def pair(asked: str = "asked", similarity: float = 0.5) -> QuestionPair:
    return QuestionPair("stored", asked, similarity)


@asynccontextmanager
async def running(
    verifier: FakeVerifier,
    *,
    timeout_s: float = 30.0,
    max_batch: int = 8,
    max_queue: int = 64,
    clock: Callable[[], float] = lambda: 0.0,
) -> AsyncIterator[VerifierLane]:
    lane = VerifierLane(
        verifier, timeout_s=timeout_s, max_batch=max_batch, max_queue=max_queue, clock=clock
    )
    await lane.start()
    try:
        yield lane
    finally:
        verifier.gate.set()
        await lane.aclose()


async def entered(verifier: FakeVerifier) -> None:
    assert await asyncio.to_thread(verifier.entered.wait, 30)


@asynccontextmanager
async def busy(lane: VerifierLane, verifier: FakeVerifier) -> AsyncIterator[asyncio.Task[object]]:
    """Hold the thread in a call, so that what comes now has to wait."""
    verifier.gate.clear()
    verifier.entered.clear()
    first = asyncio.ensure_future(lane.score([pair("first")]))
    await entered(verifier)
    yield first


def test_every_pair_gets_its_score_from_one_other_thread() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier) as lane:
            assert await lane.score([pair("a", 0.25), pair("b", 0.75)]) == [0.25, 0.75]
            assert await lane.score([pair("c", 0.0)]) == [0.0]
            assert await lane.score([]) == []
            assert lane.fingerprint == "fake"
            assert (lane.stats.requests, lane.stats.pairs, lane.stats.batches) == (3, 3, 2)

    asyncio.run(scenario())
    assert len(verifier.threads) == 1
    assert verifier.threads != {threading.get_ident()}
    assert verifier.closed == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1, width=32), max_size=5), min_size=1, max_size=20),
    st.integers(1, 8),
)
def test_what_waits_together_is_scored_together_and_never_mixed_up(
    requests: list[list[float]], max_batch: int
) -> None:
    verifier = FakeVerifier()

    async def scenario() -> list[list[float | None]]:
        async with running(verifier, max_batch=max_batch) as lane, busy(lane, verifier) as first:
            tasks = [
                asyncio.ensure_future(lane.score([pair("x", score) for score in scores]))
                for scores in requests
            ]
            await asyncio.sleep(0)
            verifier.gate.set()
            found = await asyncio.gather(*tasks)
            await first
            return found

    assert asyncio.run(scenario()) == requests
    largest = max(max_batch, *map(len, requests))
    assert all(len(batch) <= largest for batch in verifier.batches)
    # Together: two batches in a row would not have fitted into one.
    sizes = [len(batch) for batch in verifier.batches[1:]]
    pairs = sum(map(len, requests))
    assert sum(sizes) == pairs
    assert len(sizes) <= 2 * -(-pairs // max_batch)


def test_one_that_does_not_fit_goes_with_the_next_batch() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier, max_batch=4) as lane, busy(lane, verifier):
            tasks = [
                asyncio.ensure_future(lane.score([pair(name)] * size))
                for name, size in (("a", 3), ("b", 3), ("c", 1), ("d", 9), ("e", 1))
            ]
            await asyncio.sleep(0)
            verifier.gate.set()
            await asyncio.gather(*tasks)

    asyncio.run(scenario())
    assert verifier.batches[1:] == [list("aaa"), list("bbbc"), ["d"] * 9, ["e"]]


def test_late_is_unavailable_and_is_not_computed_any_more() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier) as lane, busy(lane, verifier) as first:
            with pytest.raises(VerifierUnavailable, match=r"within 0\.01 s") as caught:
                await lane.score([pair("late")], timeout_s=0.01)
            assert isinstance(caught.value, CacheComponentError)
            assert lane.stats.timed_out == 1
            verifier.gate.set()
            assert await first == [0.5]
            await lane.score([pair("next")])
            assert lane.stats.pairs == 2

    asyncio.run(scenario())
    assert verifier.batches == [["first"], ["next"]]


def test_the_time_limit_of_the_lane_holds_for_the_call_under_way() -> None:
    verifier = FakeVerifier()
    verifier.gate.clear()

    async def scenario() -> None:
        async with running(verifier, timeout_s=0.01) as lane:
            with pytest.raises(VerifierUnavailable, match="no score within"):
                await lane.score([pair()])

    asyncio.run(scenario())


def test_an_answer_that_came_while_the_loop_was_busy_counts() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier, timeout_s=0.05) as lane:
            task = asyncio.ensure_future(lane.score([pair()]))
            await asyncio.sleep(0)
            assert verifier.entered.wait(30)
            threading.Event().wait(0.1)  # blocks the loop over the limit: both are ready after it
            assert await task == [0.5]
            assert lane.stats.timed_out == 0

    asyncio.run(scenario())


def test_who_was_cancelled_is_skipped() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier) as lane, busy(lane, verifier) as first:
            waiting = asyncio.ensure_future(lane.score([pair("gone")]))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            first.cancel()  # in the middle of its call: its scores are dropped
            verifier.gate.set()
            assert await lane.score([pair("next")]) == [0.5]

    asyncio.run(scenario())
    assert verifier.batches == [["first"], ["next"]]


def test_a_full_queue_turns_away_at_once() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier, max_queue=2) as lane, busy(lane, verifier):
            waiting = [asyncio.ensure_future(lane.score([pair()])) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(VerifierUnavailable, match="queue of 2 is full"):
                await lane.score([pair()])
            assert lane.stats.turned_away == 1
            verifier.gate.set()
            assert await asyncio.gather(*waiting) == [[0.5], [0.5]]

    asyncio.run(scenario())


def test_a_failure_is_told_to_those_concerned_and_the_next_call_is_served() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier) as lane:
            with pytest.raises(VerifierUnavailable, match="failed: RuntimeError") as caught:
                await lane.score([pair("bad")])
            assert isinstance(caught.value.__cause__, RuntimeError)
            assert await lane.score([pair("good")]) == [0.5]
            verifier.surplus = 1
            with pytest.raises(VerifierUnavailable, match="failed: ValueError"):
                await lane.score([pair("good")])
            assert lane.stats.failed == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), -0.25, 1.25])
def test_what_is_no_probability_is_no_score(wrong: float) -> None:
    async def scenario() -> list[float | None]:
        async with running(FakeVerifier()) as lane:
            return await lane.score([pair("a", 1.0), pair("b", wrong), pair("c", 0.0)])

    assert asyncio.run(scenario()) == [1.0, None, 0.0]


def test_closing_scores_what_waits_and_takes_nothing_more() -> None:
    verifier = FakeVerifier()

    async def scenario() -> None:
        async with running(verifier) as lane, busy(lane, verifier) as first:
            waiting = asyncio.ensure_future(lane.score([pair("waits")]))
            await asyncio.sleep(0)
            closing = asyncio.ensure_future(lane.aclose())
            await asyncio.sleep(0)
            with pytest.raises(VerifierUnavailable, match="not running"):
                await lane.score([pair("late")])
            verifier.gate.set()
            await closing
            assert await first == await waiting == [0.5]
            assert verifier.closed == 1

    asyncio.run(scenario())
    assert verifier.batches == [["first"], ["waits"]]


def test_a_loop_that_ended_without_closing_ends_the_thread() -> None:
    verifier = FakeVerifier()

    async def scenario() -> threading.Thread:
        lane = VerifierLane(verifier)
        await lane.start()
        verifier.gate.clear()
        task = asyncio.ensure_future(lane.score([pair()]))
        await entered(verifier)
        task.cancel()
        assert lane._thread is not None
        return lane._thread

    thread = asyncio.run(scenario())
    verifier.gate.set()
    thread.join(30)
    assert not thread.is_alive()
    assert verifier.closed == 1


def test_busy_time_is_counted() -> None:
    ticks = iter([1.0, 1.5, 2.0, 2.25])

    async def scenario() -> float:
        async with running(FakeVerifier(), clock=lambda: next(ticks)) as lane:
            await lane.score([pair()])
            await lane.score([pair()])
            return lane.stats.busy_s

    assert asyncio.run(scenario()) == 0.75
