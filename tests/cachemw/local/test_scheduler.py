from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from cachemw.errors import Draining
from cachemw.local.errors import GenerationFailed, QueueFull
from cachemw.local.scheduler import Ticket, TurnScheduler

Start = Callable[..., TurnScheduler[int]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[TurnScheduler[int]] = []

    def starting(*, max_active: int = 2, max_waiting: int = 2) -> TurnScheduler[int]:
        scheduler: TurnScheduler[int] = TurnScheduler(
            max_active=max_active, max_waiting=max_waiting
        )
        scheduler.start()
        started.append(scheduler)
        return scheduler

    yield starting
    for scheduler in started:
        await asyncio.to_thread(scheduler.close)


async def collect(ticket: Ticket[int]) -> list[tuple[int, int]]:
    return [item async for item in ticket]


class Gate:
    """A source that yields for ever once opened, and tells how often it was asked."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.asked = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.entered.set()
        self.open.wait()
        self.asked += 1
        return self.asked


async def test_items_come_in_order_with_their_source(start: Start) -> None:
    scheduler = start(max_active=1)
    items = await collect(scheduler.submit([iter([1, 2]), iter([3])]))
    assert items == [(0, 1), (0, 2), (1, 3)]


async def test_active_sources_take_turns(start: Start) -> None:
    items = await collect(start().submit([iter([1, 2, 3]), iter([10, 20, 30])]))
    assert items == [(0, 1), (1, 10), (0, 2), (1, 20), (0, 3), (1, 30)]


async def test_a_full_queue_refuses_all_of_a_request(start: Start) -> None:
    scheduler = start(max_active=1, max_waiting=1)
    gate = Gate()
    held = scheduler.submit([gate])
    with pytest.raises(QueueFull) as refused:
        scheduler.submit([iter([1]), iter([2])])
    assert refused.value.retry_after_s >= 1
    waiting = scheduler.submit([iter([7])])
    held.cancel()
    gate.open.set()
    assert await collect(waiting) == [(0, 7)]


async def test_a_cancelled_request_frees_its_place_in_the_queue(start: Start) -> None:
    scheduler = start(max_active=1, max_waiting=1)
    gate = Gate()
    held = scheduler.submit([gate])
    scheduler.submit([iter([1])]).cancel()
    taken = scheduler.submit([iter([2])])
    held.cancel()
    gate.open.set()
    assert await collect(taken) == [(0, 2)]


async def test_a_cancelled_source_is_not_asked_again(start: Start) -> None:
    scheduler = start()
    gate = Gate()
    ticket = scheduler.submit([gate])
    await asyncio.to_thread(gate.entered.wait)
    ticket.cancel()
    gate.open.set()
    assert await collect(scheduler.submit([iter([1])])) == [(0, 1)]
    assert gate.asked == 1


async def test_a_failing_source_fails_its_request_alone_and_keeps_its_message_private(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    error = ZeroDivisionError("the prompt was: secret")

    def failing() -> Iterator[int]:
        yield 1
        raise error

    scheduler = start()
    bad, good = scheduler.submit([failing()]), scheduler.submit([iter([1, 2, 3])])
    with caplog.at_level(logging.ERROR), pytest.raises(GenerationFailed, match="ZeroDivision"):
        await collect(bad)
    assert await collect(good) == [(0, 1), (0, 2), (0, 3)]
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


async def test_closing_tells_open_requests_and_refuses_new_ones(start: Start) -> None:
    scheduler = start(max_active=1)
    gate = Gate()
    open_tickets = [scheduler.submit([gate]), scheduler.submit([iter([1])])]
    await asyncio.to_thread(gate.entered.wait)
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    gate.open.set()
    await closing
    for ticket in open_tickets:
        with pytest.raises(Draining):
            await collect(ticket)
    with pytest.raises(Draining):
        scheduler.submit([iter([1])])
