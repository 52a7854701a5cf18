"""One connection, without a socket; over sockets: test_transport.py."""

from __future__ import annotations

import asyncio
from unittest.mock import create_autospec

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.upstreams.wire import Connection

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def exchanging() -> tuple[Connection, asyncio.Task[list[tuple[bytes, bytes]]]]:
    connection = Connection()
    connection.connection_made(create_autospec(asyncio.Transport, instance=True))
    exchange = connection.exchange("POST", b"POST / HTTP/1.1\r\n\r\n", b"", chunked=False)
    task = asyncio.create_task(exchange)
    await asyncio.sleep(0)
    return connection, task


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=8),
    st.lists(st.integers(1, 40), max_size=40),
)
def test_any_cutting_of_a_chunked_body_gives_the_same_body(
    pieces: list[bytes], cuts: list[int]
) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    async def run() -> tuple[bytes, bool]:
        connection, task = await exchanging()
        rest = HEAD + body
        for cut in [*cuts, len(rest)]:
            if rest[:cut]:
                connection.data_received(rest[:cut])
            rest = rest[cut:]
        headers = await task
        assert (b"content-type", b"text/event-stream") in headers
        got = b""
        while (chunk := await connection.next_chunk()) is not None:
            got += chunk
        return got, connection.reusable

    assert asyncio.run(run()) == (b"".join(pieces), True)


async def test_what_came_before_the_end_is_read_before_the_error() -> None:
    connection, task = await exchanging()
    connection.data_received(HEAD + b"3\r\nabc\r\n")
    await task
    connection.connection_lost(ConnectionResetError())
    assert await connection.next_chunk() == b"abc"
    with pytest.raises(httpx.RemoteProtocolError):
        await connection.next_chunk()
    assert not connection.reusable


async def test_what_was_not_read_never_reaches_the_next_exchange() -> None:
    connection, task = await exchanging()
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    await task
    assert not connection.reusable
    assert await connection.next_chunk() == b"ok"
    assert connection.reusable


async def test_words_that_nobody_asked_for_close_the_connection() -> None:
    connection, task = await exchanging()
    connection.data_received(b"HTTP/1.1 204 No Content\r\n\r\n")
    await task
    assert connection.reusable
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno")
    assert not connection.reusable


async def test_a_closed_connection_cannot_be_written_to() -> None:
    connection = Connection()
    with pytest.raises(httpx.WriteError):
        await connection.exchange("GET", b"GET / HTTP/1.1\r\n\r\n", b"", chunked=False)
