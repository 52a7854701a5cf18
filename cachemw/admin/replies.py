"""Replies of the admin endpoints: JSON or lines of JSON, never kept by anything on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import Response
from starlette.responses import StreamingResponse
from starlette.types import Send

from cachemw.admin.media import LINES
from cachemw.errors import CacheUnavailable, StoreUnavailable

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

Chunks = AsyncGenerator[bytes, None]


def json_reply(body: bytes) -> Response:
    """Return JSON that is already encoded."""
    return Response(body, media_type="application/json", headers=HEADERS)


class LinesReply(StreamingResponse):
    """Streams lines as they are made, and closes what makes them when the client hangs up."""

    def __init__(self, chunks: Chunks) -> None:
        super().__init__(chunks, media_type=LINES, headers=HEADERS)
        self._chunks = chunks

    async def stream_response(self, send: Send) -> None:
        """Send head and body."""
        async with aclosing(self._chunks):
            await super().stream_response(send)


async def begun(chunks: Chunks) -> LinesReply:
    """Return a reply whose first chunk is there, so that a failure before it has a status."""
    first = await anext(chunks, b"")
    return LinesReply(told(chunks, first))


async def told(chunks: Chunks, first: bytes = b"") -> Chunks:
    """Yield all chunks; a failure after the head is told by a last line, an error object."""
    async with aclosing(chunks):
        if first:
            yield first
        try:
            async for chunk in chunks:
                yield chunk
        except StoreUnavailable:
            fault = CacheUnavailable("The store failed; what came before this line is not all.")
            yield fault.body() + b"\n"
