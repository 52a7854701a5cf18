"""The content of an answer: derived from a hash of the request, so a test can tell whose it got."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from loadtests.fake_upstream.behaviour import Behaviour
from loadtests.fake_upstream.jsonschema import example

_WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty")
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_SUBJECTS = ("messages", "input", "prompt")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call; `arguments` is JSON in a string, as on the wire."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `n` answers, cut into tokens."""

    index: int
    pieces: tuple[str, ...]
    finish: str
    refusal: bool
    reasoning: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]

    @property
    def text(self) -> str:
        """The answer in one piece."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Answer:
    """All choices, and how many tokens they cost."""

    digest: str
    choices: tuple[Choice, ...]
    prompt_tokens: int

    @cached_property
    def reasoning_tokens(self) -> int:
        """Tokens thought and not said."""
        return sum(len(choice.reasoning) for choice in self.choices)

    @cached_property
    def completion_tokens(self) -> int:
        """Tokens paid for, thoughts included."""
        said = sum(
            len(choice.pieces) + sum(len(cut(call.arguments)) for call in choice.tool_calls)
            for choice in self.choices
        )
        return said + self.reasoning_tokens


def compose(body: Mapping[str, Any], behaviour: Behaviour, *, tokens: int, salt: str) -> Answer:
    """Return the answer to a request; the same request, model and salt give the same answer."""
    subject = next((body[name] for name in _SUBJECTS if name in body), None)
    encoded = orjson.dumps([body.get("model"), subject, salt])
    prompts = body["prompt"] if isinstance(body.get("prompt"), list) else [None]
    count = (behaviour.n or body.get("n") or 1) * max(1, len(prompts))
    digests = [
        hashlib.sha256(encoded + index.to_bytes(2, "big")).hexdigest() for index in range(count)
    ]
    return Answer(
        digest=digests[0][:12],
        choices=tuple(
            _choice(index, digest, body, behaviour, tokens) for index, digest in enumerate(digests)
        ),
        prompt_tokens=max(1, len(encoded) // 4),
    )


def cut(text: str, size: int = 4) -> tuple[str, ...]:
    """Cut a text into pieces of `size` characters, the fake's tokens where words will not do."""
    return tuple(text[start : start + size] for start in range(0, len(text), size))


def _choice(
    index: int, digest: str, body: Mapping[str, Any], behaviour: Behaviour, tokens: int
) -> Choice:
    calls = _tool_calls(digest, body, behaviour)
    pieces = () if calls else _pieces(digest, body, behaviour, tokens)
    limit = next((body[name] for name in _LIMITS if body.get(name)), len(pieces))
    finish = "tool_calls" if calls else "length" if limit < len(pieces) else "stop"
    return Choice(
        index=index,
        pieces=pieces[:limit],
        finish=behaviour.finish or finish,
        refusal=behaviour.refusal,
        reasoning=("Thinking", " about ", digest[:12]) if behaviour.reasoning else (),
        tool_calls=calls,
    )


def _pieces(
    digest: str, body: Mapping[str, Any], behaviour: Behaviour, tokens: int
) -> tuple[str, ...]:
    if behaviour.echo:
        return cut(behaviour.echo)
    if behaviour.refusal:
        return ("I", " cannot", " help", " with", f" {digest[:12]}")
    schema = _schema(body)
    if schema is not None:
        return cut(orjson.dumps(example(schema, digest[:12])).decode())
    if behaviour.big:
        return cut((f"{digest} " * (behaviour.big // 65 + 1))[: behaviour.big], 1000)
    seed = bytes.fromhex(digest)
    words = (
        f" {_WORDS[(seed[i % 32] + i) % len(_WORDS)]}"
        for i in range((behaviour.tokens or tokens) - 2)
    )
    return ("Answer", f" {digest[:12]}", *words)


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema that the text must satisfy: chat's place for it, or responses'."""
    wanted = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if wanted.get("type") != "json_schema":
        return None
    schema: Mapping[str, Any] = wanted.get("json_schema", wanted)["schema"]
    return schema


def _tool_calls(digest: str, body: Mapping[str, Any], behaviour: Behaviour) -> tuple[ToolCall, ...]:
    """Call offered tools in turn: as many as asked for by directive, one if the request must."""
    # Chat wraps a function's fields once more than responses does.
    offered: Sequence[Mapping[str, Any]] = [
        tool.get("function", tool) for tool in body.get("tools") or ()
    ]
    must = body.get("tool_choice") not in (None, "none", "auto") if offered else False
    count = behaviour.tools or int(must)
    tools = [offered[turn % len(offered)] for turn in range(count)] if offered else ()
    return tuple(
        ToolCall(
            id=f"call_{digest[:16]}{turn}",
            name=tool["name"],
            arguments=orjson.dumps(
                example(tool.get("parameters") or {}, f"{digest[:8]}-{turn}")
            ).decode(),
        )
        for turn, tool in enumerate(tools)
    )
