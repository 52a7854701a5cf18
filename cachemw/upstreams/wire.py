"""One HTTP/1.1 client connection: an asyncio protocol over httptools' parser.

Errors are httpx's, so that whoever uses the transport built on this need not know of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

import httptools
import httpx

Header = tuple[bytes, bytes]

# Bytes of a body that may wait for their reader before the socket is no longer read.
_HIGH_WATER = 256 * 1024
_MAX_HEAD_BYTES = 128 * 1024


class Connection(asyncio.Protocol):
    """Carries one exchange at a time: write a request, read its head, read its body.

    The parser's `on_*` methods run inside `data_received`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = False
        self._head_bytes = 0
        self._changed: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._upload: asyncio.Task[None] | None = None
        self._head_only = False
        self._has_length = False
        self._headers: list[Header] = []
        self._has_head = False
        self._complete = True
        self._keep_alive = True
        self.status = 0
        self.closed = False
        self.idle_since = 0.0

    # --- used by the transport

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow: all of this one was read, and nobody hung up."""
        return self._complete and not self._chunks and self._keep_alive and not self.closed

    @property
    def has_answered(self) -> bool:
        """Whether a byte of the reply to the latest request has come."""
        return self._head_bytes > 0

    async def exchange(
        self, method: str, head: bytes, body: bytes | AsyncIterator[bytes], *, chunked: bool
    ) -> list[Header]:
        """Send a request and return the headers of its response; `status` is its status.

        A streamed body goes on being sent beside a reply that has begun, until that is whole. What
        reading it raises is raised here, or by `next_chunk`.
        """
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._has_head, self._has_length = [], False, False
        self._head_bytes = 0
        self._complete, self._keep_alive = False, True
        self._head_only = method == "HEAD"
        if isinstance(body, bytes):
            self._write(head + body)
        else:
            self._write(head)
            self._upload = asyncio.create_task(self._send_body(body, chunked=chunked))
            self._upload.add_done_callback(self._uploaded)
        while not self._has_head:
            await self._change()
        return self._headers

    async def next_chunk(self) -> bytes | None:
        """Return what has come of the body, None at its end. Raises httpx.TransportError."""
        while not self._chunks:
            if self._complete:
                return None
            await self._change()
        chunk = self._chunks.popleft()
        self._waiting_bytes -= len(chunk)
        if self._paused and self._waiting_bytes <= _HIGH_WATER // 2:
            self._hold_back(False)
        return chunk

    def close(self) -> None:
        """Close the socket, whatever is under way."""
        self.closed = True
        self._stop_upload()
        if self._transport is not None:
            self._transport.abort() if not self._complete else self._transport.close()

    # --- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports have the methods of asyncio.Transport, and not its type.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._complete:
            self.close()  # nothing was asked: what follows belongs to nobody
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(httpx.RemoteProtocolError("The server's reply is not HTTP."))
        if not self._has_head and self._head_bytes > _MAX_HEAD_BYTES:
            self._fail(httpx.RemoteProtocolError("The server's headers do not end."))
        if self._waiting_bytes > _HIGH_WATER and not self._paused:
            self._hold_back(True)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: of the body, where nothing else says where it ends; else a failure."""
        self.closed = True
        if not self._complete:
            if self._has_head and not self._has_length and exc is None:
                self._complete = True
            else:
                self._fail(httpx.RemoteProtocolError("The server closed the connection."))
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Note that the socket takes no more for now."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Note that the socket takes bytes again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        name = name.lower()
        self._headers.append((name, value))
        if name in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        """Note that the head is whole; 1xx heads only announce the real one."""
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._has_head = True
            if self._head_only:
                # The parser waits for a body that does not come after HEAD.
                self._complete, self._keep_alive = True, False
        self._wake()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._chunks.append(body)
        self._waiting_bytes += len(body)
        self._wake()

    def on_message_complete(self) -> None:
        """Note that the response is whole."""
        if not self._has_head:
            self._headers = []
            return
        self._complete = True
        self._keep_alive = self._keep_alive and self._parser.should_keep_alive()
        self._stop_upload()
        self._wake()

    # ---

    async def _send_body(self, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        async for chunk in body:
            self._write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
            if self._writable is not None:
                await self._writable
        if chunked:
            self._write(b"0\r\n\r\n")

    def _uploaded(self, upload: asyncio.Task[None]) -> None:
        error = None if upload.cancelled() else upload.exception()
        if isinstance(error, Exception):
            self._fail(error)

    def _stop_upload(self) -> None:
        """Send no more: the reply is whole, or there will be none."""
        if self._upload is not None and not self._upload.done():
            self._upload.cancel()
            self._keep_alive = False
        self._upload = None

    def _hold_back(self, paused: bool) -> None:
        self._paused = paused
        if self._transport is not None and not self.closed:
            (self._transport.pause_reading if paused else self._transport.resume_reading)()

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.closed:
            raise httpx.WriteError("The connection is closed.")
        self._transport.write(data)

    async def _change(self) -> None:
        """Wait for news of the exchange. Raises what has ended it."""
        if self._error is not None:
            raise self._error
        self._changed = self._loop.create_future()
        await self._changed
        if self._error is not None and not self._chunks:
            raise self._error

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._keep_alive = False
        self.close()
        self._wake()
