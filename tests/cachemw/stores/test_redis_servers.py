"""URLs, commands, and what error replies become."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
import uvloop
from cachemw_policies.breaker import BreakerPolicy
from redis.exceptions import OutOfMemoryError, ResponseError

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.redis_node import NodeLimits, RedisNode
from cachemw.stores.redis_servers import Command, Script, checked, connector, deadline_in


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


def test_error_replies_are_told_without_what_they_quote() -> None:
    assert checked([1, None, b"x"]) == [1, None, b"x"]
    with pytest.raises(StoreUnavailable, match="ResponseError") as caught:
        checked([b"x", ResponseError("unknown command 'PROMPT TEXT'")])
    assert "PROMPT" not in repr(caught.value)
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        checked([OutOfMemoryError("command not allowed")])


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


def test_a_script_has_the_name_that_redis_gives_it() -> None:
    # From Redis' documentation of SCRIPT LOAD.
    script = Script("return 'Immabe a cached script'")
    assert script.name == "c664a3bf70bd1d45c4284ffebb65a6f2299bfc9f"
    call = Command.of_script(script, [b"k"], "a")
    assert call.with_source() == ("EVAL", script.source, 1, b"k", "a")
    assert Command(b"k", ("GET", b"k")).with_source() == ("GET", b"k")
