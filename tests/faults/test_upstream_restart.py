"""Upstreams that are killed and restarted under load: the breaker, the fallback, nothing left."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx

from tests.faults.conftest import AUTH, Fleet, ask, chat, only_if_cached
from tests.support.servers import ServerProcess

CLIENTS = 12
LIMITS = {
    "connect_seconds": 1.0,
    "first_byte_seconds": 2.0,
    "total_seconds": 10.0,
    "connections": CLIENTS,
    "retries": 1,
    "retry_base_seconds": 0.05,
    "breaker_failures": 5,
    "breaker_seconds": 0.5,
}
BOUND = 30.0


class Load:
    """Clients that ask, each one question after another, and what they got."""

    def __init__(self, server: ServerProcess) -> None:
        self._url = server.url
        self._questions = count()
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask as long as the block runs."""
        over = asyncio.Event()
        async with httpx.AsyncClient(headers=AUTH, timeout=BOUND) as client:
            clients = [asyncio.create_task(self._ask(client, over)) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                over.set()
                await asyncio.gather(*clients)

    async def more(self, outcome: str, number: int = 1) -> None:
        """Wait until an outcome has come some times more."""
        wanted = self.outcomes[outcome] + number

        async def enough() -> bool:
            return self.outcomes[outcome] >= wanted

        await eventually(enough, outcome)

    async def _ask(self, client: httpx.AsyncClient, over: asyncio.Event) -> None:
        while not over.is_set():
            number = next(self._questions)
            body = chat(f"Question {number}", stream=number % 2 == 0)
            started = time.monotonic()
            reply = await client.post(self._url + "/v1/chat/completions", json=body)
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.outcomes[_outcome(reply)] += 1
            await asyncio.sleep(0.01)


def _outcome(reply: httpx.Response) -> str:
    """Return the model that answered, or the code of the error, in a body or in a stream."""
    if reply.status_code == 200 and '"error"' not in reply.text:
        return str(reply.headers["x-cachemw-model"])
    for code in ("upstream_unavailable", "upstream_broken", "upstream_circuit_open"):
        if code in reply.text:
            return code
    return f"{reply.status_code} {reply.text[:200]}"


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition; a TimeoutError says for which."""
    deadline = time.monotonic() + BOUND
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {BOUND} s")
        await asyncio.sleep(0.02)


async def figures(server: ServerProcess, *names: str) -> list[float]:
    """Return sums of the samples whose line begins so."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(server.url + "/metrics", timeout=BOUND)).text
    sums = []
    for name in names:
        lines = (line for line in text.splitlines() if line.startswith(f"cachemw_{name}"))
        sums.append(sum(float(line.rpartition(" ")[2]) for line in lines))
    return sums


def states(server: ServerProcess, message: str) -> int:
    """Return how often the log tells a change of the first upstream's state."""
    lines = server.output().splitlines()
    return sum(message in line and "upstream:first" in line for line in lines)


async def all_given_back(server: ServerProcess) -> None:
    """Wait until no call is under way, then use every connection there may be at once."""

    async def idle() -> bool:
        return await figures(server, "upstream_in_flight") == [0.0]

    await eventually(idle, "idle")
    async with httpx.AsyncClient(headers=AUTH, timeout=BOUND) as client:
        asked = (
            client.post(server.url + "/v1/chat/completions", json=chat(f"At once {n}", "delay=1.0"))
            for n in range(CLIENTS)
        )
        assert {reply.status_code for reply in await asyncio.gather(*asked)} == {200}


async def test_an_upstream_killed_and_restarted_under_load(fleet: Fleet) -> None:
    upstream = fleet.upstream()
    first: dict[str, Any] = {"name": "first", "base_url": upstream.url + "/v1"} | LIMITS
    server = fleet.cachemw(fleet.config("", upstreams=[first]))
    load = Load(server)
    async with load.running():
        await load.more("fake-large", 50)
        upstream.kill()
        await load.more("upstream_circuit_open", 50)
        assert await figures(server, "upstream_breaker_open") == [1.0]
        await asyncio.to_thread(fleet.upstream, port=upstream.port)
        await load.more("fake-large", 50)
        assert await figures(server, "upstream_breaker_open") == [0.0]
    await all_given_back(server)
    assert load.slowest < BOUND
    known = {"fake-large", "upstream_unavailable", "upstream_broken", "upstream_circuit_open"}
    assert set(load.outcomes) <= known
    # One line for each change, however many calls have failed.
    assert (states(server, "dependency failed"), states(server, "dependency is back")) == (1, 1)


async def test_a_fallback_under_load_serves_every_request(fleet: Fleet) -> None:
    upstream, other = fleet.upstream(), fleet.upstream()
    first = {
        "name": "first",
        "base_url": upstream.url + "/v1",
        "fallbacks": [{"upstream": "second", "model": "fake-small"}],
    } | LIMITS
    second = {"name": "second", "models": [], "base_url": other.url + "/v1"} | LIMITS
    server = fleet.cachemw(fleet.config("", upstreams=[first, second]))
    load = Load(server)
    async with load.running():
        await load.more("fake-large", 30)
        upstream.kill()
        await load.more("fake-small", 100)
        assert (await figures(server, "upstream_breaker_open"))[0] == 1.0
        await asyncio.to_thread(fleet.upstream, port=upstream.port)
        await load.more("fake-large", 30)
    await all_given_back(server)
    # What was cut in the middle of its answer cannot be taken over; nothing else fails.
    assert set(load.outcomes) <= {"fake-large", "fake-small", "upstream_broken"}
    assert load.outcomes["upstream_broken"] <= CLIENTS
    counted = await figures(server, 'upstream_fallbacks_total{model="fake-large",to="fake-small"}')
    assert counted[0] >= load.outcomes["fake-small"]


def test_a_fallbacks_answer_is_not_the_first_models(fleet: Fleet) -> None:
    upstream, other = fleet.upstream(), fleet.upstream()
    first = {
        "name": "first",
        "base_url": upstream.url + "/v1",
        "fallbacks": [{"upstream": "second", "model": "fake-small"}],
    } | LIMITS
    second = {"name": "second", "models": ["fake-small"], "base_url": other.url + "/v1"} | LIMITS
    server = fleet.cachemw(fleet.config("", upstreams=[first, second]))
    upstream.kill()
    given = ask(server, "Hello")
    assert (given.status_code, given.headers["x-cachemw-model"]) == (200, "fake-small")
    assert "stored" in given.headers["cache-status"]
    assert only_if_cached(server, "Hello").status_code == 504
    own = ask(server, "Hello", model="fake-small")
    assert own.headers["x-cachemw-layer"] == "exact"
    assert own.json()["choices"] == given.json()["choices"]
