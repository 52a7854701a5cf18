"""An httpx transport for one origin, at a tenth of the stock one's cost.

httpx's own transport takes 0.5 ms of CPU a call, more than all the rest of a miss. This one keeps
httpx's interface, requests, responses, decoding and errors, and does what a reverse proxy needs:
HTTP/1.1, keep-alive, streaming both ways, TLS, Unix sockets, a bounded pool.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx

from cachemw.upstreams.wire import Connection, Header

# Idle connections are not trusted longer than this: servers begin to close theirs at five seconds.
_IDLE_SECONDS = 4.0

Release = Callable[[Connection], None]
Payload = bytes | AsyncIterator[bytes]


class OriginTransport(httpx.AsyncBaseTransport):
    """Keeps up to `connections` to the origin of its requests, or to the socket `uds`.

    `connect_seconds` bounds the wait for a connection, and that for a place in the pool; `tls`
    makes the context for https, with the system's trust by default.
    """

    def __init__(
        self,
        *,
        connections: int,
        connect_seconds: float,
        uds: str | None = None,
        tls: Callable[[], ssl.SSLContext] = httpx.create_ssl_context,
    ) -> None:
        self._places = asyncio.Semaphore(connections)
        self._connect_seconds = connect_seconds
        self._uds = uds
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx.TransportError's kinds."""
        head, chunked = _head(request)
        body = _body(request)
        await self._take_place()
        try:
            connection, headers = await self._exchange(request, head, body, chunked=chunked)
        except BaseException:
            self._places.release()
            raise
        stream = ReplyBody(connection, self._release)
        return httpx.Response(connection.status, headers=headers, stream=stream)

    async def _exchange(
        self, request: httpx.Request, head: bytes, body: Payload, *, chunked: bool
    ) -> tuple[Connection, list[Header]]:
        """Exchange on a connection that is there, else on a new one.

        A server may close an idle connection while a request is on its way there. Where not a byte
        came back and the request is at hand whole, it is sent once more, on a new connection, as
        browsers do; a streamed one is not.
        """
        reused = self._reused()
        connection = reused or await self._connect(request.url)
        try:
            return connection, await self._on(connection, request, head, body, chunked=chunked)
        except (httpx.RemoteProtocolError, httpx.WriteError):
            if reused is None or reused.has_answered or not isinstance(body, bytes):
                raise
        connection = await self._connect(request.url)
        return connection, await self._on(connection, request, head, body, chunked=chunked)

    async def _on(
        self,
        connection: Connection,
        request: httpx.Request,
        head: bytes,
        body: Payload,
        *,
        chunked: bool,
    ) -> list[Header]:
        try:
            return await connection.exchange(request.method, head, body, chunked=chunked)
        except BaseException:
            self._discard(connection)
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in tuple(self._open):
            connection.close()

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._connect_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("All connections are in use.") from error

    def _reused(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()  # the one used last is the likeliest to be alive
            if connection.reusable and now - connection.idle_since < _IDLE_SECONDS:
                return connection
            self._discard(connection)
        return None

    async def _connect(self, url: httpx.URL) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                if self._uds is not None:
                    _, connection = await loop.create_unix_connection(Connection, self._uds)
                else:
                    secure = url.scheme == "https"
                    port = url.port or (443 if secure else 80)
                    tls = self._tls_context() if secure else None
                    _, connection = await loop.create_connection(
                        Connection, url.host, port, ssl=tls
                    )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("No connection in time.") from error
        except OSError as error:  # refused, unreachable, name not known, TLS refused
            raise httpx.ConnectError("No connection.") from error
        self._open.add(connection)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        # Made when it is first needed: reading the certificates takes tens of milliseconds.
        if self._tls is None:
            self._tls = self._make_tls()
        return self._tls

    def _release(self, connection: Connection) -> None:
        if connection.reusable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self._discard(connection)
        self._places.release()

    def _discard(self, connection: Connection) -> None:
        connection.close()
        self._open.discard(connection)


class ReplyBody(httpx.AsyncByteStream):
    """The body of a response; closing it gives its connection back, or up."""

    def __init__(self, connection: Connection, release: Release) -> None:
        self._connection = connection
        self._release = release
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._connection.next_chunk()) is not None:
            yield chunk

    async def aclose(self) -> None:
        """Close, as httpx has it."""
        self.close()

    def close(self) -> None:
        """Give the connection back where all was read, else up; again does nothing."""
        if not self._closed:
            self._closed = True
            self._release(self._connection)


def _head(request: httpx.Request) -> tuple[bytes, bool]:
    """Return the bytes of the request's head, and whether its body is sent in chunks."""
    headers: list[Header] = request.headers.raw
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in headers]
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    if not head.count(b"\r") == head.count(b"\n") == len(lines) + 1:
        raise httpx.LocalProtocolError("A line break inside a header or a path.")
    return head, request.headers.get("transfer-encoding", "").lower() == "chunked"


def _body(request: httpx.Request) -> Payload:
    if isinstance(request.stream, httpx.ByteStream):
        return request.content
    return aiter(cast("httpx.AsyncByteStream", request.stream))
