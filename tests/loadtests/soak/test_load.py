from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from loadtests.soak.kinds import Kinds
from loadtests.soak.load import Pace, Tally, drive

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(reply: bytes) -> AsyncIterator[int]:
    """Reply the same to every request on a connection; hang up where there is no reply."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while reply:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: " in head:
                    await reader.readexactly(int(head.split(b"content-length: ")[1].split()[0]))
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _drive(reply: bytes, kind: str) -> Tally:
    tally = Tally()
    async with serving(reply) as port:
        await drive(port, Kinds(Random(1), [kind]), Pace(2, 200.0), 0.3, tally)
    return tally


async def test_replies_are_counted_by_kind_and_outcome() -> None:
    tally = await _drive(OK, "scrape")
    assert set(tally.outcomes) == {("scrape", "200")}
    assert tally.requests > 1
    assert not tally.faults


async def test_what_is_wrong_is_said() -> None:
    tally = await _drive(OK.replace(b"200 OK", b"500 Oh"), "scrape")
    assert set(tally.outcomes) == {("scrape", "FAULT")}
    assert list(tally.faults) == ["scrape: status 500: b'ok'"]


async def test_a_connection_that_ends_is_a_fault_unless_it_may() -> None:
    assert "closed in the middle" in next(iter((await _drive(b"", "scrape")).faults))
    allowed = await _drive(b"", "oversized")
    assert not allowed.faults
    assert set(allowed.outcomes) == {("oversized", "closed")}


async def test_rude_clients_leave() -> None:
    tally = await _drive(OK, "hung_up")
    assert set(tally.outcomes) == {("hung_up", "left")}


def test_faults_are_bounded() -> None:
    tally = Tally()
    for number in range(1000):
        tally.fault("kind", str(number))
    assert len(tally.faults) < 50
    assert tally.faults.total() == tally.requests == 1000
