"""ASGI: one exchange over it, and the ways in which a connection can fail."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

import orjson

from loadtests.fake_upstream.behaviour import Behaviour
from loadtests.fake_upstream.record import Record

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

_JSON: Header = (b"content-type", b"application/json")
_EVENTS: Header = (b"content-type", b"text/event-stream; charset=utf-8")
_GZIP: Header = (b"content-encoding", b"gzip")


class ClientLeft(Exception):
    """The client closed its connection."""


class Exchange:
    """One request and its answer."""

    def __init__(
        self, receive: Receive, send: Send, record: Record, headers: tuple[Header, ...]
    ) -> None:
        self._receive = receive
        self._send = send
        self._record = record
        self._headers = headers
        self._left: asyncio.Future[Message] | None = None

    async def chunks(self) -> list[bytes]:
        """Read the body to its end, counting it as it arrives."""
        parts: list[bytes] = []
        more = True
        while more:
            part, more = await self.next_chunk()
            parts.append(part)
        return parts

    async def next_chunk(self) -> tuple[bytes, bool]:
        """Read the next part of the body, and whether there is more."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        self._record.uploaded_bytes += len(part)
        return part, message.get("more_body", False)

    async def wait(self, seconds: float | None) -> None:
        """Let time pass (None: for ever); raises ClientLeft as soon as the client goes."""
        await asyncio.wait((self._watched(),), timeout=seconds)
        self.check()

    async def wait_for(self, event: asyncio.Event) -> None:
        """Wait until the event is set; raises ClientLeft as soon as the client goes."""
        happened = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((happened, self._watched()), return_when=asyncio.FIRST_COMPLETED)
        finally:
            happened.cancel()
        self.check()

    def _watched(self) -> asyncio.Future[Message]:
        # The body has been read, so all that `receive` can still say is that the client left.
        if self._left is None:
            self._left = asyncio.ensure_future(self._receive())
        return self._left

    def check(self) -> None:
        """Raise ClientLeft if the client is known to be gone."""
        if self._left is not None and self._left.done():
            raise ClientLeft

    def close(self) -> None:
        """Stop watching the client."""
        if self._left is not None:
            self._left.cancel()

    async def head(self, status: int, *headers: Header) -> None:
        """Send the response head."""
        message = {"type": "http.response.start", "status": status}
        await self._send(message | {"headers": [*headers, *self._headers]})

    async def body(self, part: bytes, *, more: bool) -> None:
        """Send a part of the response body."""
        await self._send({"type": "http.response.body", "body": part, "more_body": more})

    async def whole(self, status: int, content: bytes, *headers: Header) -> None:
        """Send a response in one piece."""
        await self.head(status, *headers, _length(content))
        await self.body(content, more=False)

    async def json(self, status: int, payload: Any, *headers: Header) -> None:
        """Send a response of JSON."""
        await self.whole(status, orjson.dumps(payload), _JSON, *headers)

    async def answer(self, payload: Any, behaviour: Behaviour) -> None:
        """Send JSON as the request wants it: compressed, cut off, or stuck halfway."""
        content = orjson.dumps(payload)
        headers = [_JSON]
        if behaviour.gzip:
            content, headers = gzip.compress(content, 1), [_JSON, _GZIP]
        if "mid" not in (behaviour.die, behaviour.hang):
            await self.whole(200, content, *headers)
            return
        await self.head(200, *headers, _length(content))
        await self.body(content[: len(content) // 2], more=True)
        await self.fail(behaviour)

    async def stream(self, frames: list[bytes], behaviour: Behaviour, pause: float) -> None:
        """Send events one by one, `pause` seconds apart, as long as the client listens."""
        fails = "mid" in (behaviour.die, behaviour.hang)
        head = [_EVENTS, _GZIP] if behaviour.gzip else [_EVENTS]
        self._record.open_streams += 1
        try:
            await self.head(200, *head)
            # Watch from the start: a send to a client that left succeeds without a word.
            await self.wait(0)
            for frame in _compressed(frames) if behaviour.gzip else frames[: _half(frames, fails)]:
                await self.body(frame, more=True)
                if pause:
                    await self.wait(pause)
                self.check()
            if fails:
                await self.fail(behaviour)
                return
            await self.body(b"", more=False)
            self._record.finished_streams += 1
        finally:
            self._record.open_streams -= 1

    async def fail(self, behaviour: Behaviour) -> None:
        """Hang until the client leaves, or drop the connection without a word."""
        if behaviour.hang:
            await self.wait(None)
        # ASGI has no way to close a connection, so this reaches for uvicorn's: `send` is a method
        # of its request cycle. Raising instead would turn into a polite 500 before the head.
        # `close` and not `abort`: what was sent so far still reaches the client.
        self._send.__self__.transport.close()  # type: ignore[attr-defined]
        await self.wait(1.0)


def _half(frames: list[bytes], fails: bool) -> int:
    return len(frames) // 2 if fails else len(frames)


def _length(content: bytes) -> Header:
    return b"content-length", b"%d" % len(content)


def _compressed(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Compress a stream so that every event can be read as soon as it arrives."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for frame in frames:
        yield packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
