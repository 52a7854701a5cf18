"""A request as the path sees it, and the reply it gives back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cachemw.errors import BodyTooLarge, Overloaded
from cachemw.identity.caller import NOT_ADMITTED, Caller

T = TypeVar("T")
Header = tuple[bytes, bytes]
# A body as it arrives; its reader closes it.
Stream = AsyncGenerator[bytes, None]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

JSON_TYPE: Header = (b"content-type", b"application/json")
SSE_TYPE: Header = (b"content-type", b"text/event-stream; charset=utf-8")


def header_value(text: str) -> bytes:
    """Return a text that others chose, such as a model's name, fit for a header."""
    visible = (c if c.isprintable() else "?" for c in text)
    return "".join(visible).encode("latin-1", "replace")


def by_name(headers: list[Header]) -> dict[bytes, bytes]:
    """Return the headers by name, those that come more than once joined (RFC 9110, 5.3)."""
    joined = dict(headers)
    if len(joined) < len(headers):
        for name in joined:
            joined[name] = b", ".join(value for key, value in headers if key == name)
    return joined


class ClientGone(Exception):
    """The client hung up; nobody is there to be answered."""


@dataclass(slots=True)
class BodyMemory:
    """What all request bodies of a process hold together, in bytes, and how much that may be."""

    limit: int
    held: int = 0

    def take(self, size: int) -> None:
        """Count bytes in. Raises Overloaded where there is no room for them."""
        if self.held + size > self.limit:
            raise Overloaded("Too many large requests are being served; try again in a moment.")
        self.held += size


@dataclass(slots=True)
class HttpRequest:
    """One request. Header names are lower case; `query` is without its question mark.

    `caller` is whom it is from, once it has been admitted (identity/).
    """

    method: str
    path: str
    query: bytes
    header_list: list[Header]
    headers: dict[bytes, bytes]
    receive: Receive
    caller: Caller = NOT_ADMITTED
    _body_end: asyncio.Future[None] | None = None
    _body_read: bool = False
    _memory: BodyMemory | None = None
    _held: int = 0

    def drop_headers(self, names: tuple[bytes, ...]) -> None:
        """Forget all headers of those names: nobody further on sees them."""
        self.header_list = [header for header in self.header_list if header[0] not in names]
        for name in names:
            self.headers.pop(name, None)

    async def body(self, limit: int, memory: BodyMemory | None = None) -> bytes:
        """Read the whole body. Raises BodyTooLarge past `limit` bytes, Overloaded, ClientGone.

        A body that comes in more than one piece is counted in `memory` until `release`; one that
        does not is small, and there are no more of them than connections.
        """
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise BodyTooLarge(f"The body is over the limit of {limit} bytes.")
        message = await self.receive()
        self._body_read = True  # nobody waits for that before this returns
        if not message.get("more_body"):
            return _checked(_chunk(message), limit)
        self._memory = memory
        parts = [self._counted(_chunk(message), limit)]
        while message.get("more_body"):
            message = await self.receive()
            parts.append(self._counted(_chunk(message), limit))
        return b"".join(parts)

    def release(self) -> None:
        """Give back the memory that was counted for the body; the request is over."""
        if self._memory is not None:
            self._memory.held -= self._held
            self._memory, self._held = None, 0

    def _counted(self, chunk: bytes, limit: int) -> bytes:
        if self._held + len(chunk) > limit:
            raise BodyTooLarge(f"The body is over the limit of {limit} bytes.")
        if self._memory is not None:
            self._memory.take(len(chunk))
        self._held += len(chunk)
        return chunk

    async def body_chunks(self) -> AsyncIterator[bytes]:
        """Stream the body as it arrives. Raises ClientGone."""
        more = True
        while more:
            message = await self.receive()
            more = bool(message.get("more_body"))
            if chunk := _chunk(message):
                yield chunk
        self._body_read = True
        if self._body_end is not None and not self._body_end.done():
            self._body_end.set_result(None)

    async def gone(self) -> None:
        """Return when the client has hung up; while its body is read, its reader notices that."""
        if not self._body_read:
            self._body_end = asyncio.get_running_loop().create_future()
            await self._body_end
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def unless_gone(self, work: Awaitable[T]) -> T:
        """Wait for `work`; if the client hangs up first, cancel it and raise ClientGone."""
        task = asyncio.ensure_future(work)
        watcher = asyncio.ensure_future(self.gone())
        try:
            await asyncio.wait((task, watcher), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone
            return task.result()
        finally:
            task.cancel()
            watcher.cancel()


def _chunk(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    return bytes(message.get("body", b""))


def _checked(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise BodyTooLarge(f"The body is over the limit of {limit} bytes.")
    return body


@dataclass(slots=True)
class Reply:
    """What goes back: a whole `body`, or a `stream` of chunks where it is not known yet.

    `layer` and `category` say where it came from, for metrics. `answer_id` is the id that a
    replayed answer got. `close` is called once the reply has been sent or given up.
    """

    status: int
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""
    stream: Stream | None = None
    layer: str = "upstream"
    category: str = "default"
    answer_id: str = ""
    close: Callable[[], None] | None = None
