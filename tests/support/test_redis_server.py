from __future__ import annotations

import asyncio
import subprocess
from contextlib import closing

import pytest

from tests.support import redis_server as servers
from tests.support.redis_server import RedisClusterServers, RedisServer, need_redis
from tests.support.turns import TurnCounter

redis_server = servers.redis_server
redis_cluster = servers.redis_cluster


@pytest.fixture(autouse=True)
def _installed() -> None:
    need_redis()


def test_a_server_is_killed_started_anew_and_stopped() -> None:
    with RedisServer() as server:
        assert server.ask("set", "a", "1") == "OK"
        server.kill()
        with pytest.raises(subprocess.CalledProcessError):
            server.ask("ping")
        server.start()
        assert server.ask("get", "a") == ""  # nothing is kept
        process = server.process
        assert process is not None
    assert process.poll() is not None


def test_options_reach_the_server() -> None:
    with RedisServer(options={"maxmemory": "7mb"}) as server:
        assert server.ask("config", "get", "maxmemory").split() == ["maxmemory", str(7 << 20)]


def test_the_shared_cluster_is_whole(redis_cluster: RedisClusterServers) -> None:
    keys = [b"a", b"b", b"c", b"{a}:x"]
    masters = redis_cluster.masters_of(keys)
    assert masters[0] is masters[3]
    for key, node in zip(keys, masters, strict=True):
        assert node.ask("set", key.decode(), "1") == "OK"
        assert node.ask("del", key.decode()) == "1"


async def test_turns_are_counted_whatever_their_packets(redis_server: RedisServer) -> None:
    async with TurnCounter(redis_server.port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with closing(writer):
            for expected in (1, 2, 3):
                # Read in several pieces by both sides.
                writer.write(b"*2\r\n$4\r\nECHO\r\n$200000\r\n" + b"x" * 200_000 + b"\r\n")
                await reader.readexactly(len("$200000\r\n") + 200_000 + 2)
                assert proxy.turns == expected
