"""The fake's capacity: slots, the queue for them, and who is turned away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest

from tests.support.fakes import RunningFake, running_fake
from tests.support.servers import wait_until

ANSWER_MS = 150


@pytest.fixture(scope="module")
def small() -> Iterator[RunningFake]:
    with running_fake(tokens=8, ttft_ms=ANSWER_MS, slots=1, waiting=1) as running:
        yield running


@pytest.fixture
async def http(small: RunningFake) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=small.url) as client:
        yield client


async def ask(http: httpx.AsyncClient, *, stream: bool = False) -> tuple[int, float]:
    """Return the status and when the answer had ended."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    answer = await http.post("/v1/chat/completions", json=body)
    return answer.status_code, time.monotonic()


@pytest.mark.parametrize("stream", [False, True])
async def test_one_is_answered_one_waits_and_one_is_turned_away(
    http: httpx.AsyncClient, stream: bool
) -> None:
    began = time.monotonic()
    found = sorted(await asyncio.gather(*(ask(http, stream=stream) for _ in range(3))))
    assert [status for status, _ in found] == [200, 200, 429]
    # A turn takes its time, so that the second is no sooner than two of them.
    assert found[1][1] - began >= 2 * ANSWER_MS / 1000
    assert await ask(http) >= (200, 0.0)


async def leave(small: RunningFake, task: asyncio.Task[tuple[int, float]]) -> None:
    """End a client's call, and wait until the server knows."""
    before = small.record.disconnects
    task.cancel()
    gone = partial(wait_until, lambda: small.record.disconnects > before, what="disconnect")
    await asyncio.to_thread(gone)


async def test_a_client_that_leaves_the_queue_takes_no_slot(
    small: RunningFake, http: httpx.AsyncClient
) -> None:
    first = asyncio.create_task(ask(http))
    await asyncio.sleep(ANSWER_MS / 3000)
    waiting = asyncio.create_task(ask(http))
    await asyncio.sleep(ANSWER_MS / 3000)
    await leave(small, waiting)
    assert (await first)[0] == 200
    # Both the slot and the place in the queue are free again.
    again = await asyncio.gather(ask(http), ask(http))
    assert [status for status, _ in again] == [200, 200]


async def test_a_client_that_leaves_while_answered_gives_its_slot_back(
    small: RunningFake, http: httpx.AsyncClient
) -> None:
    leaving = asyncio.create_task(ask(http))
    await asyncio.sleep(ANSWER_MS / 3000)
    await leave(small, leaving)
    again = await asyncio.gather(ask(http), ask(http))
    assert [status for status, _ in again] == [200, 200]
