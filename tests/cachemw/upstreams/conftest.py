"""A server that says exactly what a test has it say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

import pytest
import uvloop

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Script:
    """What one connection after another is told; counts them, keeps what was asked."""

    url: str = ""
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)


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
