"""The paced load: open, counted from when a request was due, and every failure noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from random import Random
from typing import Any

import pytest

from loadtests.faults.load import PacedLoad, Results, Shot, questions
from tests.support.servers import ServerThread, free_port

App = Callable[[Any, Any, Any], Awaitable[None]]


def answering(status: int, delay: float = 0.0) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        await asyncio.sleep(delay)
        headers = [(b"x-cachemw-layer", b"exact"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


def shoot(port: int, most: int = 50) -> Results:
    load = PacedLoad([port], 100.0, questions(Random(1), 5, 0.5), most)

    async def run() -> None:
        await load.run(0.3)
        load.close()
        await asyncio.sleep(0)  # closing takes a turn of the loop

    asyncio.run(run())
    return load.results


@pytest.mark.parametrize(("status", "share"), [(200, 0.0), (503, 1.0)])
def test_replies_are_counted(status: int, share: float) -> None:
    with ServerThread(answering(status)) as server:
        results = shoot(server.port)
    assert len(results.shots) >= 29
    assert results.failed == share * len(results.shots)
    assert results.layers["exact"] == len(results.shots)


def test_a_server_that_is_away_is_a_failure_and_no_end() -> None:
    results = shoot(free_port())
    assert results.failed == len(results.shots) >= 29


def test_waiting_for_room_counts_as_waiting() -> None:
    """Thirty requests of 20 ms, one at a time: the last one was due long before it was sent."""
    with ServerThread(answering(200, delay=0.02)) as server:
        results = shoot(server.port, most=1)
    assert max(results.seconds) > 0.2


def test_results_by_time() -> None:
    results = Results([Shot(1.0, 0.1, 200, "exact"), Shot(2.0, 0.1, 500, "none")])
    assert len(results.between(0.0, 2.0).shots) == 1
    assert results.between(1.5, 3.0).failed == 1


def test_questions_are_old_and_new() -> None:
    some = list(islice(questions(Random(1), 3, 0.5), 100))
    assert 40 < len(set(some)) < 70
