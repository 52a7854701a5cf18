"""A server that says exactly what a test has it say."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

import pytest
import uvloop
from cachemw_policies.breaker import BreakerPolicy

from cachemw.states import DependencyState
from cachemw.upstreams.health import UpstreamHealth

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Script:
    """What one connection after another is told; counts them, keeps what was asked."""

    url: str = ""
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def healthy(
    failures: int = 5, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
) -> UpstreamHealth:
    """Return the health of an upstream of which nothing is known."""
    policy = BreakerPolicy(failures, seconds)
    return UpstreamHealth("fake", policy, DependencyState("upstream:fake"), clock)


Scripted = Callable[..., AbstractAsyncContextManager[Script]]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run everything on both loops: cachemw serves on uvloop, whose objects are of other types."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@asynccontextmanager
async def _scripted(talk: Talk, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Script]:
    script = Script()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script.connections += 1
        # That the client leaves is what some tests are about.
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer):
            await talk(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    script.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
    try:
        yield script
    finally:
        server.close()


@pytest.fixture
def scripted() -> Scripted:
    return _scripted
