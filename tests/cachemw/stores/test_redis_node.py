"""One server: which failures count, when it is left alone, and what becomes of connections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cachemw_policies.breaker import BreakerPolicy
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import ReadOnlyError, ResponseError

from cachemw.errors import StoreUnavailable
from cachemw.stores.redis_node import NodeLimits, RedisNode
from tests.support.eventually import eventually

LONG_S = 30.0
PING = [("PING",)]


class FakeConnection:
    """Answers with what it is told to; an exception is raised, an event is waited for first."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self.is_connected = False
        self.unread = False
        self.closed = 0

    async def connect(self) -> None:
        self.is_connected = True

    async def can_read(self) -> bool:
        return self.unread

    async def disconnect(self, nowait: bool = False) -> None:
        self.is_connected = False
        self.closed += 1

    async def send_packed_command(self, command: list[bytes], check_health: bool = True) -> None:
        pass

    async def read_response(self) -> Any:
        answer = self._answers.pop(0) if self._answers else b"PONG"
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return b"late"
        if isinstance(answer, Exception):
            raise answer
        return answer


class Server:
    """Makes connections that share a list of answers."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.connections: list[FakeConnection] = []
        self.troubles = 0

    def connect(self) -> FakeConnection:
        connection = FakeConnection(self.answers)
        self.connections.append(connection)
        return connection

    def trouble(self) -> None:
        self.troubles += 1

    def node(
        self, *, connections: int = 4, failures: int = 2, seconds: float = LONG_S
    ) -> RedisNode:
        limits = NodeLimits(connections, 100, BreakerPolicy(failures, seconds))
        return RedisNode(self.connect, limits, self.trouble)


def soon(seconds: float = LONG_S) -> float:
    return asyncio.get_running_loop().time() + seconds


async def fails(node: RedisNode, seconds: float = LONG_S) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        await node.run(PING, soon(seconds))
    return str(caught.value)


async def test_connections_are_used_again() -> None:
    server = Server([])
    node = server.node()
    for _ in range(5):
        assert await node.run(PING * 2, soon()) == [b"PONG", b"PONG"]
    assert len(server.connections) == 1
    await node.aclose(1.0)
    assert server.connections[0].closed == 1


async def test_error_replies_are_replies() -> None:
    refused = ResponseError("no")
    server = Server([refused, b"PONG", refused, b"PONG"] * 5)
    node = server.node(failures=1)
    for _ in range(5):
        assert await node.run(PING * 2, soon()) == [refused, b"PONG"]
    assert node.available
    assert server.connections[0].closed == 0
    await node.aclose(1.0)


@pytest.mark.parametrize(
    "answer",
    [OSError("gone"), LostConnection("gone"), ReadOnlyError("replica"), asyncio.Event()],
    ids=["os", "lost", "read-only", "late"],
)
async def test_failures_in_a_row_open_the_breaker(answer: Any) -> None:
    server = Server([answer, b"PONG", answer, answer])
    node = server.node(failures=2)
    limit = 0.01 if isinstance(answer, asyncio.Event) else LONG_S
    assert "Redis failed" in await fails(node, limit)
    assert await node.run(PING, soon()) == [b"PONG"]
    for _ in range(2):
        # A connection used before is tried anew once, so the failing ones are fresh here.
        await node._drop_idle()
        assert "Redis failed" in await fails(node, limit)
    assert not node.available
    assert server.troubles == 1
    asked = len(server.connections)
    assert "has not answered since" in await fails(node)
    assert len(server.connections) == asked
    await node.aclose(1.0)


async def test_an_unfinished_exchange_costs_its_connection() -> None:
    answers: list[Any] = [asyncio.Event()]
    server = Server(answers)
    node = server.node(failures=100)
    await fails(node, 0.01)
    assert server.connections[0].closed == 1
    answers.append(asyncio.Event())
    task = asyncio.create_task(node.run(PING, soon()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert server.connections[-1].closed == 1
    assert await node.run(PING, soon()) == [b"PONG"]
    assert server.connections[-1].closed == 0
    await node.aclose(1.0)


async def test_a_connection_lost_while_idle_is_no_failure() -> None:
    answers: list[Any] = []
    server = Server(answers)
    node = server.node(failures=1)
    await node.run(PING, soon())
    answers.append(LostConnection("closed while idle"))
    assert await node.run(PING, soon()) == [b"PONG"]
    server.connections[-1].unread = True  # the end of the stream
    assert await node.run(PING, soon()) == [b"PONG"]
    assert len(server.connections) == 3
    assert node.available
    await node.aclose(1.0)


async def test_waiting_for_a_connection_counts_where_nobody_is_answered() -> None:
    release, stuck = asyncio.Event(), asyncio.Event()
    server = Server([release, stuck])
    node = server.node(connections=1, failures=1)
    busy = [asyncio.create_task(node.run(PING, soon())) for _ in range(2)]
    await asyncio.sleep(0)
    in_vain = asyncio.create_task(fails(node, 0.05))
    await asyncio.sleep(0.01)
    release.set()  # the first is answered, the second waits for the connection before us
    await in_vain
    assert node.available
    await fails(node, 0.01)
    assert not node.available
    stuck.set()
    assert await asyncio.gather(*busy) == [[b"late"]] * 2
    await node.aclose(1.0)


async def test_probes_close_the_breaker_without_traffic() -> None:
    gone = OSError("gone")
    server = Server([gone, gone, b"LOADING", gone])
    node = server.node(failures=1, seconds=0.01)
    await fails(node)

    async def available() -> bool:
        return node.available

    await eventually(available)
    assert server.answers == []
    assert await node.run(PING, soon()) == [b"PONG"]
    await node.aclose(1.0)


async def test_a_failed_greeting_leaves_it_alone_until_it_answers() -> None:
    server = Server([OSError("not yet")])
    node = server.node(failures=5, seconds=0.01)
    with pytest.raises(OSError, match="not yet"):
        await node.greet(PING, soon())
    assert not node.available

    async def available() -> bool:
        return node.available

    await eventually(available)
    await node.aclose(1.0)


async def test_closed_it_takes_nothing_more() -> None:
    server = Server([])
    node = server.node()
    await node.run(PING, soon())
    await node.aclose(1.0)
    await node.aclose(1.0)
    assert "not open" in await fails(node)
