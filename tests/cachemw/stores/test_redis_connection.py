"""URLs, and connections that end when they should not."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
import uvloop
from cachemw_policies.breaker import BreakerPolicy

from cachemw.errors import ConfigError
from cachemw.stores.redis_connection import connector
from cachemw.stores.redis_node import NodeLimits, RedisNode
from cachemw.stores.redis_servers import deadline_in


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache.example:7000/2", ("cache.example", 7000)),
        ("rediss://user:secret@cache.example", ("cache.example", 6379)),
        ("redis://", ("localhost", 6379)),
    ],
)
def test_an_address_is_read_from_the_url(url: str, address: tuple[str, int]) -> None:
    found, connect = connector(url)
    assert found == address
    assert connect(None).is_connected is False
    assert "10.0.0.1" in repr(connect(("10.0.0.1", 7001)))


@pytest.mark.parametrize(
    "url",
    [
        "cache.example:6379",
        "http://:secret@cache.example",
        "redis://:secret@cache.example:port",
        "redis://:secret@cache.example?unknown_option=1",
        "redis://:secret@cache.example?max_connections=many",
    ],
)
def test_what_is_no_url_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url") as caught:
        connector(url)
    assert "secret" not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_a_missing_url_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"store\.url_env"):
        connector(None)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_that_was_reset_while_idle_is_replaced(new_loop: Callable[[], Any]) -> None:
    async def main() -> None:
        accepted = 0
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal accepted
            accepted += 1
            await reader.read(100)
            writer.write(b"+PONG\r\n")
            await writer.drain()
            if accepted == 1:
                linger = struct.pack("ii", 1, 0)  # a reset in place of an orderly end
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
                writer.transport.abort()
            else:
                await reader.read()
                ended.set()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            _, connect = connector(f"redis://127.0.0.1:{port}")
            node = RedisNode(lambda: connect(None), NodeLimits(1, 9, BreakerPolicy(1, 30.0)))
            for _ in range(2):
                assert await node.run([("PING",)], deadline_in(30)) == [b"PONG"]
                await asyncio.sleep(0.05)  # the reset arrives
            assert accepted == 2
            await node.aclose(1.0)
            await ended.wait()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
