"""Every other `/v1/*` path: what a cache must hand through untouched, streaming both ways."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from itertools import cycle, islice
from typing import Any
from urllib.parse import parse_qs

from loadtests.fake_upstream import models
from loadtests.fake_upstream.wire import Exchange

_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request; its body has not been read yet."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


_Serve = Callable[[Exchange, Head, str], Awaitable[None]]


async def serve(exchange: Exchange, head: Head) -> None:
    """Answer with the first route that matches, in the end with an echo."""
    target = f"{head.method} {head.path}"
    for pattern, answer in _ROUTES:
        match = re.fullmatch(pattern, target)
        if match:
            await answer(exchange, head, match.group(match.lastindex or 0))
            return


def blob(size: int) -> bytes:
    """Return the bytes of a download: every value occurs, and so does every pair in order."""
    return bytes(islice(cycle(range(256)), size))


async def _models(exchange: Exchange, _head: Head, _match: str) -> None:
    await exchange.chunks()
    await exchange.json(200, models.listing())


async def _model(exchange: Exchange, _head: Head, name: str) -> None:
    await exchange.chunks()
    await exchange.json(200, models.one(name))


async def _upload(exchange: Exchange, head: Head, _match: str) -> None:
    """Take a multipart upload; the file's hash tells whether it came through whole."""
    body = b"".join(await exchange.chunks())
    fields = _multipart(head.headers.get("content-type", ""), body)
    content = bytes(fields["file"].get_payload(decode=True))
    await exchange.json(
        200,
        {
            "id": f"file-{len(content)}",
            "object": "file",
            "bytes": len(content),
            "created_at": 1_700_000_000,
            "filename": fields["file"].get_filename(),
            "purpose": bytes(fields["purpose"].get_payload(decode=True)).decode(),
            "status": "processed",
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    head = f"content-type: {content_type}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    parts: Any = form.get_payload()
    return {part.get_param("name", header="content-disposition"): part for part in parts}


async def _download(exchange: Exchange, _head: Head, size: str) -> None:
    """Send as many bytes as the file's name says."""
    await exchange.chunks()
    content = blob(int(size))
    kind = (b"content-type", b"application/octet-stream")
    await exchange.head(200, kind, (b"content-length", size.encode()))
    for start in range(0, len(content), _BLOCK):
        await exchange.body(content[start : start + _BLOCK], more=True)
    await exchange.body(b"", more=False)


async def _drip(exchange: Exchange, head: Head, _match: str) -> None:
    """Send `count` lines, `delay` seconds apart."""
    await exchange.chunks()
    query = parse_qs(head.query)
    await exchange.head(200, (b"content-type", b"text/plain"))
    for number in range(int(query["count"][0])):
        await exchange.body(b"line %d\n" % number, more=True)
        await exchange.wait(float(query["delay"][0]))
    await exchange.body(b"", more=False)


async def _duplex(exchange: Exchange, _head: Head, _match: str) -> None:
    """Send every part of the body back as soon as it arrives."""
    await exchange.head(200, (b"content-type", b"application/octet-stream"))
    more = True
    while more:
        part, more = await exchange.next_chunk()
        await exchange.body(part, more=more)
        await asyncio.sleep(0)


async def _echo(exchange: Exchange, head: Head, _match: str) -> None:
    body = b"".join(await exchange.chunks())
    await exchange.json(
        200,
        {
            "method": head.method,
            "path": head.path,
            "query": head.query,
            "headers": head.headers,
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "body": body[:_BLOCK].decode(errors="replace"),
        },
    )


_ROUTES: tuple[tuple[str, _Serve], ...] = (
    (r"GET /v1/models", _models),
    (r"GET /v1/models/(.+)", _model),
    (r"POST /v1/files", _upload),
    (r"GET /v1/files/file-(\d+)/content", _download),
    (r"GET /v1/drip", _drip),
    (r"POST /v1/duplex", _duplex),
    (r".*", _echo),
)
