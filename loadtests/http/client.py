"""A keep-alive HTTP/1.1 client that costs little: its own cost is part of every figure.

Over httptools' parser and a plain asyncio protocol; one request at a time on a connection. httpx
would add ten times what is to be measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, cast

import httptools

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Response:
    """A whole reply. `seconds` to its end, `first_s` until the marker had come, if it did."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    seconds: float
    first_s: float | None

    def header(self, name: bytes) -> bytes:
        """Return a header's value, empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), b"")


class Connection(asyncio.Protocol):
    """One connection. Its methods without a docstring of use are called by asyncio or httptools."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._marker = b""
        self._started = 0.0
        self._first: float | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to a port of this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return connection

    async def request(self, raw: bytes, marker: bytes = b"") -> Response:
        """Send a prepared request and return its reply; time the body until `marker` has come."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the connection is closed")
        self._headers, self._body, self._first, self._marker = [], bytearray(), None, marker
        self._waiter = asyncio.get_running_loop().create_future()
        self._started = time.perf_counter()
        self._transport.write(raw)
        return await self._waiter

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    # ---- asyncio ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's are no instances of the class that they implement.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request under way, if there is one."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError(f"closed in the middle of a reply: {exc}"))

    # ---- httptools ----

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Collect a part of the body and look whether the marker has come with it."""
        self._body += body
        if self._first is None and self._marker and self._marker in self._body:
            self._first = time.perf_counter() - self._started

    def on_message_complete(self) -> None:
        """Hand the reply over."""
        seconds = time.perf_counter() - self._started
        status = self._parser.get_status_code()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(
                Response(status, self._headers, bytes(self._body), seconds, self._first)
            )


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """Open `count` connections and close them at the end."""
    opened = [await Connection.open(port) for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


def raw_request(
    path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
