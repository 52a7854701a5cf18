from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cachemw.embed.batcher import MicroBatcher
from cachemw.errors import EmbedderUnavailable

DIMENSION = 4


def vector_of(text: str) -> NDArray[np.float32]:
    """Return a unit vector that identifies `text`."""
    generator = np.random.default_rng(list(text.encode()) or [0])
    vector = generator.standard_normal(DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


class FakeEmbedder:
    """Embeds when its gate is open; fails on texts that start with 'bad'."""

    name = fingerprint = runtime = "fake"
    dimension = DIMENSION

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.gate.wait(30)
        if any(text.startswith("bad") for text in texts):
            raise RuntimeError("no such luck")
        return np.stack([vector_of(text) for text in texts])

    def cuts(self, text: str) -> bool:
        return False

    def close(self) -> None:
        pass


@asynccontextmanager
async def running(embedder: FakeEmbedder, **options: float) -> AsyncIterator[MicroBatcher]:
    batcher = MicroBatcher(embedder, **{"timeout_s": 30.0, **options})  # type: ignore[arg-type]
    await batcher.start()
    try:
        yield batcher
    finally:
        embedder.gate.set()
        await batcher.aclose()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the condition is set by another thread
        await asyncio.sleep(0.001)


@asynccontextmanager
async def busy(embedder: FakeEmbedder, batcher: MicroBatcher) -> AsyncIterator[None]:
    """Hold the worker in a batch of its own; let it go at the end."""
    embedder.gate.clear()
    embedder.entered.clear()
    first = asyncio.ensure_future(batcher.embed("holds the worker"))
    await until(embedder.entered.is_set)
    yield
    embedder.gate.set()
    await first


async def test_an_idle_worker_takes_one_text_alone() -> None:
    embedder = FakeEmbedder()
    async with running(embedder) as batcher:
        vector = await batcher.embed("hello")
    np.testing.assert_array_equal(vector, vector_of("hello"))
    assert embedder.batches == [["hello"]]
    assert not vector.flags.writeable


async def test_what_queues_meanwhile_is_one_batch_on_one_thread() -> None:
    embedder = FakeEmbedder()
    async with running(embedder, max_batch=8) as batcher:
        async with busy(embedder, batcher):
            tasks = [asyncio.ensure_future(batcher.embed(f"text {i}")) for i in range(10)]
            await asyncio.sleep(0)
        vectors = await asyncio.gather(*tasks)
    assert [len(batch) for batch in embedder.batches] == [1, 8, 2]
    assert len(embedder.threads) == 1
    assert threading.get_ident() not in embedder.threads
    for i, vector in enumerate(vectors):
        np.testing.assert_array_equal(vector, vector_of(f"text {i}"))


async def test_a_long_text_goes_apart_and_last() -> None:
    embedder = FakeEmbedder()
    long = "long " * 400
    async with running(embedder) as batcher:
        async with busy(embedder, batcher):
            tasks = [asyncio.ensure_future(batcher.embed(text)) for text in (long, "ab", "c")]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    assert embedder.batches[1:] == [["c", "ab"], [long]]


async def test_identical_texts_are_embedded_once() -> None:
    embedder = FakeEmbedder()
    async with running(embedder) as batcher:
        async with busy(embedder, batcher):
            tasks = [asyncio.ensure_future(batcher.embed("same")) for _ in range(5)]
            await asyncio.sleep(0)
        vectors = await asyncio.gather(*tasks)
        again = await batcher.embed("same")
        assert batcher.stats.joined == 4
        assert batcher.stats.from_recent == 1
    assert embedder.batches == [["holds the worker"], ["same"]]
    assert all(vector is again for vector in vectors)


async def test_errors_reach_exactly_the_waiters_of_their_batch() -> None:
    embedder = FakeEmbedder()
    async with running(embedder, max_batch=2) as batcher:
        async with busy(embedder, batcher):
            texts = ["bad 1", "good 1", "good 2", "good 3"]
            tasks = [asyncio.ensure_future(batcher.embed(text)) for text in texts]
            await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert batcher.stats.failed_batches == 1
        # A failure is not remembered, and the worker lives on.
        np.testing.assert_array_equal(await batcher.embed("good 1"), vector_of("good 1"))
    failed = [isinstance(result, EmbedderUnavailable) for result in results]
    assert failed == [True, True, False, False]
    assert isinstance(results[0], EmbedderUnavailable)
    assert isinstance(results[0].__cause__, RuntimeError)
    assert results[0] is not results[1]
    assert "bad 1" not in str(results[0])


async def test_a_full_queue_turns_away_at_once() -> None:
    embedder = FakeEmbedder()
    async with running(embedder, max_queue=2) as batcher:
        async with busy(embedder, batcher):
            tasks = [asyncio.ensure_future(batcher.embed(text)) for text in "ab"]
            await asyncio.sleep(0)
            with pytest.raises(EmbedderUnavailable, match="queue of 2 is full"):
                await batcher.embed("c")
            # Joining what is queued takes no place.
            tasks.append(asyncio.ensure_future(batcher.embed("a")))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert batcher.stats.turned_away == 1


async def test_a_slow_worker_times_out_and_recovers() -> None:
    embedder = FakeEmbedder()
    async with running(embedder, timeout_s=0.02) as batcher:
        embedder.gate.clear()
        with pytest.raises(EmbedderUnavailable, match=r"within 0\.02 s"):
            await batcher.embed("slow")
        embedder.gate.set()
        await until(lambda: batcher.stats.batches == 1)
        # The late answer was kept all the same.
        np.testing.assert_array_equal(await batcher.embed("slow"), vector_of("slow"))
    assert embedder.batches == [["slow"]]


async def test_cancelled_waiters_cost_nothing_and_break_nothing() -> None:
    embedder = FakeEmbedder()
    async with running(embedder) as batcher:
        async with busy(embedder, batcher):
            gone, stays = (asyncio.ensure_future(batcher.embed("x")) for _ in range(2))
            alone = asyncio.ensure_future(batcher.embed("y"))
            await asyncio.sleep(0)
            gone.cancel()
            alone.cancel()
            await asyncio.gather(gone, alone, return_exceptions=True)
        np.testing.assert_array_equal(await stays, vector_of("x"))
    assert embedder.batches == [["holds the worker"], ["x"]]


async def test_closing_fails_what_waits() -> None:
    embedder = FakeEmbedder()
    batcher = MicroBatcher(embedder, timeout_s=30)
    await batcher.start()
    embedder.gate.clear()
    tasks = [asyncio.ensure_future(batcher.embed(text)) for text in "ab"]
    await until(embedder.entered.is_set)
    closing = asyncio.ensure_future(batcher.aclose())
    results = await asyncio.gather(*tasks, return_exceptions=True)
    embedder.gate.set()
    await closing
    assert all(isinstance(result, EmbedderUnavailable) for result in results)
    with pytest.raises(EmbedderUnavailable, match="not running"):
        await batcher.embed("c")
    await batcher.aclose()  # twice is harmless


async def test_not_started_is_unavailable() -> None:
    with pytest.raises(EmbedderUnavailable, match="not running"):
        await MicroBatcher(FakeEmbedder()).embed("a")


@given(
    seed=st.integers(0, 2**32),
    max_batch=st.integers(1, 8),
    max_queue=st.integers(1, 40),
    recent_bytes=st.sampled_from([0, 2000, 100_000]),
)
@settings(max_examples=40, deadline=None)
def test_everyone_gets_their_own_vector_or_an_error(
    seed: int, max_batch: int, max_queue: int, recent_bytes: int
) -> None:
    generator = random.Random(seed)
    embedder = FakeEmbedder()

    async def one(batcher: MicroBatcher, text: str) -> None:
        try:
            vector = await batcher.embed(text)
        except EmbedderUnavailable as error:
            assert isinstance(error.__cause__, RuntimeError | None)  # noqa: PT017
            return
        assert not text.startswith("bad")
        np.testing.assert_array_equal(vector, vector_of(text))

    async def scenario() -> None:
        options = {"max_batch": max_batch, "max_queue": max_queue, "recent_bytes": recent_bytes}
        async with running(embedder, **options) as batcher:
            tasks = []
            for _ in range(60):
                stem = generator.choice(["bad", "good", "fine"])
                text = f"{stem} {generator.randrange(12)}" + " x" * generator.choice([0, 0, 300])
                task = asyncio.ensure_future(one(batcher, text))
                tasks.append((task, generator.random() < 0.2))
                if generator.random() < 0.3:
                    await asyncio.sleep(0)
                if generator.random() < 0.2:
                    generator.choice(tasks)[0].cancel()
            results = await asyncio.gather(*(t for t, _ in tasks), return_exceptions=True)
            unexpected = [r for r in results if isinstance(r, AssertionError)]
            assert not unexpected
            assert all(r is None or isinstance(r, asyncio.CancelledError) for r in results)
            assert batcher._in_flight == {}

    asyncio.run(scenario())
    assert all(len(batch) <= max_batch for batch in embedder.batches)
