"""The requests that are made, each with what its reply must say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.behaviour import parse
from loadtests.http.client import Response, raw_request

TOKENS = 40
"""Length of the fake's answers."""
CONTENT = b'"content":"Answer'
"""The first piece of every answer in a stream; the chunk before it has only the role."""


class Incorrect(Exception):
    """A reply said something else than it must; the figures beside it are worth nothing."""


@dataclass(frozen=True)
class Shot:
    """A request to the chat endpoint, or any other where `check` says so.

    `text` is the question, for those who embed it.
    """

    raw: bytes
    check: Callable[[Response], str | None]
    text: str = ""
    marker: bytes = b""


@dataclass(frozen=True)
class Chat:
    """A chat request and its right answer, which the fake derives from the request."""

    question: str
    system: str = "You are a helpful assistant."
    stream: bool = False
    ttft_ms: int = 0
    headers: Mapping[str, str] | None = None

    @cached_property
    def body(self) -> dict[str, Any]:
        """The request's body."""
        body: dict[str, Any] = {
            "model": "fake-large",
            "messages": [
                {"role": "system", "content": self.system},
                {"role": "user", "content": self.question},
            ],
        }
        if self.stream:
            body["stream"] = True
        if self._directives:
            body["x_fake"] = self._directives
        return body

    @property
    def _directives(self) -> str:
        """What the fake is told: its latency, and tokens one by one as a model makes them."""
        latency = [f"ttft-ms={self.ttft_ms}"] if self.ttft_ms else []
        return ";".join([*latency, *(["tokens=8", "tpot-ms=1"] if self.stream else [])])

    @property
    def raw(self) -> bytes:
        """The request on the wire."""
        return raw_request("/v1/chat/completions", orjson.dumps(self.body), self.headers)

    @property
    def answer(self) -> str:
        """What the upstream says to it."""
        answer = compose(self.body, parse(self._directives), tokens=TOKENS, salt="")
        return answer.choices[0].text

    def shot(self, layer: str | None) -> Shot:
        """Return the request with its check; `layer` None: asked directly of the upstream."""
        expected = self.answer
        marker = CONTENT if self.stream else b""

        def check(response: Response) -> str | None:
            return wrong_layer(response, layer) or wrong_answer(response, {expected})

        return Shot(self.raw, check, self.question, marker)


def wrong_layer(response: Response, layer: str | None) -> str | None:
    """Say what is wrong with the status or the layer, None if nothing is."""
    if response.status != 200:
        return f"status {response.status}: {response.body[:200]!r}"
    got = response.header(b"x-cachemw-layer").decode() or None
    return None if got == layer else f"layer {got}, not {layer}"


def wrong_answer(response: Response, expected: set[str]) -> str | None:
    """Say what is wrong with the answer, None if it is one of `expected`."""
    streamed = response.header(b"content-type").startswith(b"text/event-stream")
    got = streamed_text(response.body) if streamed else plain_text(response.body)
    return None if got in expected else f"answer {got[:80]!r}, not {next(iter(expected))[:80]!r}"


def plain_text(body: bytes) -> str:
    """Return the text of a chat completion."""
    return str(orjson.loads(body)["choices"][0]["message"]["content"])


def streamed_text(body: bytes) -> str:
    """Return the text of a streamed chat completion that ended as it must, else nothing."""
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    if not events or events[-1] != b"[DONE]":
        return ""
    chunks = (orjson.loads(event) for event in events[:-1])
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)


def require(shot: Shot, response: Response) -> None:
    """Raise Incorrect unless the reply is the right one."""
    fault = shot.check(response)
    if fault is not None:
        raise Incorrect(f"{shot.text or shot.raw[:60]!r}: {fault}")
