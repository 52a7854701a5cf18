"""A hundred thousand damaged requests: no fault of ours, no hang, and nothing is left behind.

The upstream misbehaves too, so that its answers are as strange as the requests. What it may not do
is make us answer with a fault of our own: 500 is ours, 502 to 504 say that it was the upstream's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import resource
from collections import Counter
from collections.abc import AsyncGenerator, MutableMapping
from random import Random
from typing import Any
from urllib.parse import unquote

import pytest

from cachemw.errors import UpstreamTimeout, UpstreamUnavailable
from cachemw.identity.base import Identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys, key_digest
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from tests.support.mutation import Sent, mutated_bytes, request
from tests.support.service import (
    ADMIN_TOKEN,
    Assembled,
    Clock,
    EchoUpstream,
    Parts,
    WordEmbedder,
    assembled,
    plain_of,
    stream_of,
)

IN_PROCESS = 96_000
AT_ONCE = 8
WITHIN = 30.0  # seconds for a request that must not hang
GROWTH = 128 * 1024 * 1024  # bytes of memory in the second half of the requests
KEY = "sk-cachemw-fuzz"
_EMBEDDINGS = {
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
_JSON, _SSE = b"application/json", b"text/event-stream"


class StrangeUpstream(EchoUpstream):
    """Answers anything with anything: right, wrong in form, damaged, an error, or not at all."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Answer."""
        if not isinstance(request.body, bytes):
            async for _ in request.body:
                pass
        rng = self._rng
        chance = rng.random()
        if chance < 0.02:
            raise rng.choice((UpstreamUnavailable, UpstreamTimeout))("It is away.")
        if chance < 0.06:
            status = rng.choice((400, 401, 404, 418, 429, 500, 503))
            return self._reply(status, _JSON, [b'{"error":{"message":"the upstream\'s"}}'])
        plain = rng.choice((plain_of("A text."), plain_of(""), _EMBEDDINGS))
        chunks, kind = [json.dumps(plain).encode()], _JSON
        if b'"stream":true' in (request.body if isinstance(request.body, bytes) else b""):
            chunks, kind = stream_of("A text of some words."), _SSE
        if chance < 0.2:
            chunks = [mutated_bytes(rng, chunk) for chunk in chunks]
        if chance < 0.1:
            kind = rng.choice((_JSON, _SSE, b"", b"text/plain", b"\xff"))
        return self._reply(200, kind, chunks)

    def _reply(self, status: int, kind: bytes, chunks: list[bytes]) -> UpstreamReply:
        return UpstreamReply(status, [(b"content-type", kind)], self._body(chunks))

    async def _body(self, chunks: list[bytes]) -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk


class Exchange:
    """One request to the application, in process."""

    def __init__(self, sent: Sent, extra: list[tuple[bytes, bytes]]) -> None:
        body = b"".join(sent.pieces)
        headers = [*extra, *sent.headers]
        if not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % len(body)))
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": sent.method,
            "path": unquote(sent.path.decode("latin-1")),
            "raw_path": sent.path,
            "query_string": sent.query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self._pending = [
            {"type": "http.request", "body": piece, "more_body": number + 1 < len(sent.pieces)}
            for number, piece in enumerate(sent.pieces)
        ]
        if sent.cut:
            self._pending = self._pending[:-1]
        self._cut = sent.cut
        self._ended = asyncio.Event()
        self.status = 0
        self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []

    async def receive(self) -> MutableMapping[str, Any]:
        if self._pending:
            return self._pending.pop(0)
        if not self._cut:
            await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        assert not self._ended.is_set(), "more after the end"
        if message["type"] == "http.response.start":
            assert self.status == 0, "two heads"
            self.status, self.headers = message["status"], message["headers"]
        else:
            assert self.status, "a body without a head"
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                self._ended.set()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()


async def exchange(service: Assembled, sent: Sent, extra: list[tuple[bytes, bytes]]) -> int:
    """Send one request and judge the answer; returns its status, 0 where the client left first."""
    made = Exchange(sent, extra)
    async with asyncio.timeout(WITHIN):
        await service.surface(made.scope, made.receive, made.send)
    if sent.cut and not made.status:
        return 0
    if not made.ended:
        assert made.status == 200, sent  # broken off, as the upstream's answer was
        return made.status
    _judge(made.status, made.body, sent)
    return made.status


def _judge(status: int, body: bytes, sent: object) -> None:
    assert status != 500 or b"the upstream's" in body, sent
    if status < 400 or b"the upstream's" in body or not body:
        return
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}, sent
    assert error["message"], sent
    assert status < 500 or error["code"] in _NOT_OURS, (error, sent)


_NOT_OURS = {
    "only_if_cached",
    "upstream_broken",
    "upstream_unavailable",
    "upstream_timeout",
    "upstream_circuit_open",
    "upstream_busy",
}


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _identity(kind: str) -> tuple[Identity, list[tuple[bytes, bytes]]]:
    if kind == "passed through":
        return PassedThrough(), [(b"authorization", b"Bearer sk-alice")]
    # A budget that runs out now and then.
    key = VirtualKey(key_digest(KEY), "fuzz", rpm=10_000_000, tpm=100_000_000)
    return VirtualKeys([key], Clock()), [(b"x-api-key", KEY.encode())]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["passed through", "virtual keys"])
async def test_damaged_requests(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    rng = Random(20261123)
    identity, extra = _identity(kind)
    parts = Parts(
        embedder=WordEmbedder(),
        embed_timeout=20.0,
        identity=identity,
        upstream=StrangeUpstream(Random(7)),
    )
    statuses: Counter[int] = Counter()
    half = 0
    async with assembled(parts) as service:
        service.readiness.started = True
        for batch in range(IN_PROCESS // 2 // AT_ONCE):
            if batch == IN_PROCESS // 4 // AT_ONCE:
                half = _resident()
            sent = [request(rng) for _ in range(AT_ONCE)]
            for each in await asyncio.gather(
                *(exchange(service, one, _admin_or(extra, one)) for one in sent)
            ):
                statuses[each] += 1
        grown = _resident() - half
        await service.flights.drain(WITHIN)
        assert not len(service.flights)
        for name in ("lookup", "storing", "semantic"):
            assert service.metric("dependency_up", dependency=name) == 1.0, name
        assert service.metric("store_failures_total", operation="keep") == 0.0
        await asyncio.sleep(0.05)
        gc.collect()
        assert len(asyncio.all_tasks()) < 10
    assert not Counter(record.getMessage() for record in caplog.records)
    assert grown < GROWTH
    total = sum(statuses.values())
    assert total == IN_PROCESS // 2
    # It reaches all the ways of the path, or it would prove little.
    for status in (200, 400, 404, 405, 413, 502, 504):
        assert statuses[status] > 0, statuses
    assert statuses[200] > total // 10
    assert statuses[400] > total // 10


def _admin_or(extra: list[tuple[bytes, bytes]], sent: Sent) -> list[tuple[bytes, bytes]]:
    if sent.path.startswith(b"/cache"):
        return [(b"authorization", f"Bearer {ADMIN_TOKEN}".encode())]
    return extra
