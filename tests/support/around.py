"""What stands around the service in tests: a clock, an embedder, an upstream and what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from cachemw.stores.base import Vector
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest

DIMENSION = 32
Json = dict[str, Any]


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def unit(*parts: object) -> Vector:
    """Return a unit vector that depends on `parts` alone."""
    seed = int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    normal: Vector = vector / np.linalg.norm(vector)
    return normal


class WordEmbedder:
    """Texts that begin with the same word are near (0.99), all others far."""

    name = "by first word"
    fingerprint = "f" * 16
    dimension = DIMENSION
    runtime = "none"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        """Embed."""
        self.texts += texts
        rows = [unit(text.split()[0]) + 0.1 * unit(text) for text in texts]
        stacked: Vector = np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)
        return stacked

    def cuts(self, text: str) -> bool:
        """No limit."""
        return False

    def close(self) -> None:
        """Nothing to release."""


class EchoUpstream(Upstream):
    """Answers chat requests with their question, plain or as a stream.

    `gate` holds every call back until it is set, `between` is awaited before every chunk, `reply`
    replaces the answer: status, content type, chunks.
    """

    name = "echo"

    def __init__(self) -> None:
        self.calls: list[UpstreamRequest] = []
        self.gate: asyncio.Event | None = None
        self.between: Callable[[int], Any] | None = None
        self.reply: tuple[int, bytes, list[bytes]] | None = None
        self.failure: Exception | None = None
        self.closed = 0

    async def start(self) -> None:
        """Nothing to begin."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Answer."""
        self.calls.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        status, content_type, chunks = self.reply or self._echo(request)
        return UpstreamReply(status, [(b"content-type", content_type)], self._chunks(chunks))

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _chunks(self, chunks: list[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            for number, chunk in enumerate(chunks):
                if self.between is not None:
                    await self.between(number)
                yield chunk
        finally:
            self.closed += 1

    def _echo(self, request: UpstreamRequest) -> tuple[int, bytes, list[bytes]]:
        if not request.body:
            return 200, b"text/plain", [b"ok"]
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        text = f"Answer {len(self.calls)} to {asked['messages'][-1].get('content')}"
        if asked.get("stream"):
            usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            return 200, b"text/event-stream", stream_of(text, asked["model"], usage=usage)
        return 200, b"application/json", [json.dumps(plain_of(text, asked["model"])).encode()]


def plain_of(text: str, model: str = "m") -> Json:
    """Return a chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
    }


def stream_of(text: str, model: str = "m", *, usage: bool = True) -> list[bytes]:
    """Return the same as SSE events, a word each."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in text.replace(" ", " \0").split("\0")]
    events: list[Json] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        events.append({**head, "choices": [], "usage": plain_of("")["usage"]})
    return [b"data: %s\n\n" % json.dumps(event).encode() for event in events] + [
        b"data: [DONE]\n\n"
    ]


def text_of(body: bytes) -> str:
    """Return what an answer says, plain or streamed."""
    if not body.startswith(b"data:"):
        return str(json.loads(body)["choices"][0]["message"]["content"])
    events = [line[6:] for line in body.split(b"\n\n") if line and line != b"data: [DONE]"]
    choices = [choice for event in events for choice in json.loads(event).get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def chat(text: str, **more: Any) -> Json:
    """Return the body of a chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}
