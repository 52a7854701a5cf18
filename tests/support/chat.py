"""Ask for a chat completion in either way, and get the answer in one form that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from openai import OpenAI


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: what it says (`choices`, `usage`), and the shell around it."""

    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None
    id: str
    created: int
    model: str
    headers: Mapping[str, str] = field(repr=False)
    pieces: int

    @property
    def layer(self) -> str:
        """The layer that answered."""
        return self.headers["x-cachemw-layer"]

    @property
    def content(self) -> str:
        """The first choice's text."""
        return str(self.choices[0]["content"])


def plain(client: OpenAI, **request: Any) -> Reply:
    """Ask for the answer in one piece."""
    raw = client.chat.completions.with_raw_response.create(**request)
    answer = raw.parse().model_dump()
    return Reply(
        choices=[_flatten(choice) for choice in answer["choices"]],
        usage=answer["usage"],
        id=answer["id"],
        created=answer["created"],
        model=answer["model"],
        headers=raw.headers,
        pieces=1,
    )


def streamed(client: OpenAI, **request: Any) -> Reply:
    """Ask for a stream and put it together; its usage is that of the last chunk, if asked for."""
    raw = client.chat.completions.with_raw_response.create(**request, stream=True)
    with raw.parse() as stream:
        chunks = [chunk.model_dump() for chunk in stream]
    return reply_of(chunks, raw.headers)


WAYS = {"plain": plain, "streamed": streamed}


def reply_of(chunks: list[dict[str, Any]], headers: Mapping[str, str]) -> Reply:
    """Put a stream's chunks together, which must all be of one answer."""
    (ident,) = {chunk["id"] for chunk in chunks}
    (created,) = {chunk["created"] for chunk in chunks}
    (model,) = {chunk["model"] for chunk in chunks}
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage") is not None]
    return Reply(
        choices=_assemble(choice for chunk in chunks for choice in chunk["choices"]),
        usage=usages[-1] if usages else None,
        id=ident,
        created=created,
        model=model,
        headers=headers,
        pieces=len(chunks),
    )


def _flatten(choice: Mapping[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    logprobs = choice["logprobs"] or {}
    return {
        "index": choice["index"],
        "content": message["content"] or "",
        "refusal": message["refusal"] or "",
        "reasoning_content": message.get("reasoning_content") or "",
        "tools": [
            (call["id"], call["type"], call["function"]["name"], call["function"]["arguments"])
            for call in message["tool_calls"] or ()
        ],
        "logprobs": logprobs.get("content") or logprobs.get("refusal") or [],
        "finish": choice["finish_reason"],
    }


def _assemble(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    choices: dict[int, dict[str, Any]] = {}
    for part in parts:
        choice = choices.setdefault(part["index"], _blank(part["index"]))
        delta = part["delta"]
        for name in ("content", "refusal", "reasoning_content"):
            choice[name] += delta.get(name) or ""
        for fragment in delta.get("tool_calls") or ():
            _add_fragment(choice["tools"], fragment)
        logprobs = part.get("logprobs") or {}
        choice["logprobs"] += logprobs.get("content") or logprobs.get("refusal") or []
        choice["finish"] = part["finish_reason"] or choice["finish"]
    return [choices[index] for index in sorted(choices)]


def _blank(index: int) -> dict[str, Any]:
    texts = dict.fromkeys(("content", "refusal", "reasoning_content"), "")
    return {"index": index, **texts, "tools": [], "logprobs": [], "finish": None}


def _add_fragment(tools: list[tuple[str, ...]], fragment: Mapping[str, Any]) -> None:
    function = fragment["function"]
    if fragment["index"] == len(tools):
        tools.append((fragment["id"], fragment["type"], function["name"], ""))
    *head, arguments = tools[fragment["index"]]
    tools[fragment["index"]] = (*head, arguments + (function["arguments"] or ""))
