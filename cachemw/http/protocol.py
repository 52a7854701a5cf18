"""uvicorn's HTTP protocol with the writes of one turn of the event loop joined.

uvicorn writes a reply's head and body apart, and with uvloop each is a system call: the largest
single cost of an exact hit (loadtests/reports/http.md). Nothing is delayed beyond the turn in which
it was written.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoinedWrites:
    """A transport whose writes go out together at the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take bytes to be written in this turn."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        """Write what waits; it is dropped where the client has left in the same turn."""
        if self._waiting:
            joined = b"".join(self._waiting)
            self._waiting.clear()
            # uvloop raises on a write to a closed connection, and nobody is here to catch it.
            if not self._transport.is_closing():
                self._transport.write(joined)

    def close(self) -> None:
        """Write what waits, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class JoiningProtocol(HttpToolsProtocol):
    """HttpToolsProtocol over `JoinedWrites`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        # Flow control stays with the real transport, which calls back when its buffer is full.
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
