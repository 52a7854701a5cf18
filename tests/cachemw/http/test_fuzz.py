"""Damaged requests: never a fault of ours, always an error in OpenAI's shape."""

from __future__ import annotations

import asyncio
import json
import logging
from random import Random
from typing import Any

import pytest

from tests.support.asgi import AsgiReply
from tests.support.service import Assembled, Parts, WordEmbedder, assembled, plain_of

INPUTS = 3000
BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [
        {"model": "m", "messages": [{"role": "user", "content": "What is up?"}]},
        {
            "model": "m",
            "stream": True,
            "stream_options": {"include_usage": True},
            "n": 2,
            "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Grüße 日本"}]},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        },
    ],
    "/v1/completions": [{"model": "m", "prompt": "Once", "stream": False, "echo": True}],
    "/v1/embeddings": [{"model": "m", "input": ["one", "two"], "encoding_format": "float"}],
    "/v1/responses": [{"model": "m", "input": "Hello", "stream": True, "store": False}],
}
HEADERS = [
    (b"cache-control", b"no-cache, max-age=60"),
    (b"x-cachemw-mode", b"semantic"),
    (b"x-cachemw-threshold", b"0.97"),
    (b"x-cachemw-ttl", b"30"),
    (b"x-cachemw-tags", b"a,b"),
    (b"x-cachemw-scope", b"team"),
    (b"x-cachemw-category", b"code"),
    (b"openai-beta", b"assistants=v2"),
    (b"api-key", b"k"),
]
VALUES: list[Any] = [None, True, -1, 1e308, 2**70, "", "x", "\ud800", [], {}, [[]], [None], "\0"]


def mutated_bytes(rng: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            out[at:at] = bytes([rng.randrange(256)])
        elif kind == 1:
            del out[at : at + rng.randrange(1, 8)]
        elif kind == 2 and at < len(out):
            out[at] = rng.randrange(256)
        else:
            out[at:at] = rng.choice([b"{", b"[", b'"', b"\\u", b"null", b"-", b"1e999", b"\xff"])
    return bytes(out)


def mutated_value(rng: Random, value: Any) -> Any:
    """Replace something inside by a value of any kind."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        return value | {name: mutated_value(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], mutated_value(rng, value[at]), *value[at + 1 :]]
    return rng.choice(VALUES)


def header_value(rng: Random, value: bytes) -> bytes:
    """Damage a value within what an HTTP parser lets through."""
    return bytes(b for b in mutated_bytes(rng, value) if b >= 32 and b != 127).strip()


def damaged(rng: Random) -> tuple[str, bytes, list[tuple[bytes, bytes]]]:
    path = rng.choice(list(BODIES))
    body = rng.choice(BODIES[path])
    if rng.random() < 0.5:
        data = json.dumps(mutated_value(rng, body)).encode()
    else:
        data = mutated_bytes(rng, json.dumps(body, ensure_ascii=False).encode())
    chosen = rng.sample(HEADERS, rng.randrange(4))
    return path, data, [(name, header_value(rng, value)) for name, value in chosen]


@pytest.mark.timeout(300)
async def test_damaged_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    rng = Random(20261122)
    statuses: dict[int, int] = {}
    async with assembled(Parts(embedder=WordEmbedder(), embed_timeout=10.0)) as service:
        service.upstream.reply = (200, b"application/json", [json.dumps(plain_of("x")).encode()])
        for _ in range(INPUTS):
            path, data, headers = damaged(rng)
            reply = await service.client.start("POST", path, data, headers).done()
            _check(reply, (path, data, headers))
            statuses[reply.status] = statuses.get(reply.status, 0) + 1
        await asyncio.sleep(0.1)
        assert service.metric("dependency_up", dependency="lookup") == 1.0
        assert service.metric("store_failures_total", operation="keep") == 0.0
    assert not [record.getMessage() for record in caplog.records]
    assert statuses[200] > INPUTS // 20
    assert statuses[400] > INPUTS // 20


def _check(reply: AsgiReply, sent: Any) -> None:
    assert reply.ended, sent
    if reply.status == 504 and reply.json()["error"]["code"] == "only_if_cached":
        return
    if reply.status == 502:
        # The upstream of this test answers everything as a chat completion: what cannot be
        # streamed on another endpoint is its fault.
        assert reply.json()["error"]["code"] == "upstream_broken", sent
        return
    assert reply.status < 500, (reply.body, sent)
    if reply.status >= 400:
        error = reply.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}, sent
        assert error["message"], sent


PATHS = [
    "/v1/",
    "/v1/models",
    "/v1/chat/completions/",
    "/v1//x",
    "/v1/files/..",
    "/v1/%00",
    "/v1/a b",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "BREW"])
async def test_strange_paths_and_methods_pass_through(path: str, method: str) -> None:
    async with assembled(Parts()) as service:
        service.upstream.reply = (200, b"text/plain", [b"ok"])
        reply = await _any(service, method, path)
        assert reply.status in (200, 400)


async def _any(service: Assembled, method: str, path: str) -> AsgiReply:
    return await service.client.start(method, path, b"{}").done()
