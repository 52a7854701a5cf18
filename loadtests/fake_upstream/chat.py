"""`POST /v1/chat/completions`, plain and streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from typing import Any

from loadtests.fake_upstream import sse
from loadtests.fake_upstream.answer import Choice, cut
from loadtests.fake_upstream.call import Call, Endpoint, Json, usage


def plain(call: Call) -> Json:
    """Return a `chat.completion` object."""
    completion = {
        "id": f"chatcmpl-{call.ident}",
        "object": "chat.completion",
        "created": call.created,
        "model": call.model,
        "choices": [_choice(call, choice) for choice in call.answer.choices],
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }
    return completion if call.behaviour.no_usage else completion | {"usage": usage(call)}


def stream(call: Call) -> list[bytes]:
    """Return `chat.completion.chunk` events; the choices take turns."""
    turns = zip_longest(*(_deltas(call, choice) for choice in call.answer.choices))
    chunks = [_chunk(call, [choice]) for choice in chain.from_iterable(turns) if choice is not None]
    if call.include_usage:
        # As OpenAI does: null on every chunk, then the figures on one without choices.
        chunks = [chunk | {"usage": None} for chunk in chunks]
        chunks.append(_chunk(call, []) | {"usage": usage(call)})
    return [*map(sse.data, chunks), sse.DONE]


def _choice(call: Call, choice: Choice) -> Json:
    message: Json = {
        "role": "assistant",
        "content": None if choice.refusal or choice.tool_calls else choice.text,
        "refusal": choice.text if choice.refusal else None,
        "annotations": [],
    }
    if choice.reasoning:
        message["reasoning_content"] = "".join(choice.reasoning)
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": tool.id,
                "type": "function",
                "function": {"name": tool.name, "arguments": tool.arguments},
            }
            for tool in choice.tool_calls
        ]
    return {
        "index": choice.index,
        "message": message,
        "logprobs": _logprobs(call, choice.pieces, refusal=choice.refusal),
        "finish_reason": choice.finish,
    }


def _chunk(call: Call, choices: list[Json]) -> Json:
    return {
        "id": f"chatcmpl-{call.ident}",
        "object": "chat.completion.chunk",
        "created": call.created,
        "model": call.model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": choices,
    }


def _deltas(call: Call, choice: Choice) -> Iterator[Json]:
    """Yield one choice's part of the chunks: role, reasoning, text or tool calls, finish."""

    def delta(content: Json, pieces: Iterable[str] = (), finish: str | None = None) -> Json:
        return {
            "index": choice.index,
            "delta": content,
            "logprobs": _logprobs(call, pieces, refusal=choice.refusal),
            "finish_reason": finish,
        }

    first = None if choice.tool_calls or choice.refusal else ""
    yield delta({"role": "assistant", "content": first, "refusal": None})
    for piece in choice.reasoning:
        yield delta({"reasoning_content": piece})
    field = "refusal" if choice.refusal else "content"
    for piece in choice.pieces:
        yield delta({field: piece}, [piece])
    for part in _tool_fragments(choice):
        yield delta({"tool_calls": [part]})
    yield delta({}, finish=choice.finish)


def _tool_fragments(choice: Choice) -> Iterator[Json]:
    """Yield each call's head, then its arguments in pieces that carry the index alone."""
    for index, tool in enumerate(choice.tool_calls):
        yield {
            "index": index,
            "id": tool.id,
            "type": "function",
            "function": {"name": tool.name, "arguments": ""},
        }
        for piece in cut(tool.arguments):
            yield {"index": index, "function": {"arguments": piece}}


def _logprobs(call: Call, pieces: Iterable[str], *, refusal: bool) -> Json | None:
    if not (call.behaviour.logprobs or call.body.get("logprobs")):
        return None
    top = int(call.body.get("top_logprobs") or 0)
    tokens = [_token(piece, top) for piece in pieces]
    if not tokens:
        return None
    return {"content": None, "refusal": tokens} if refusal else {"content": tokens, "refusal": None}


def _token(piece: str, top: int) -> Json:
    def one(rank: int) -> dict[str, Any]:
        token = piece if rank == 0 else f"{piece}~{rank}"
        logprob = -0.125 * (len(piece) + rank)
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    return one(0) | {"top_logprobs": [one(rank) for rank in range(top)]}


ENDPOINT = Endpoint("chat.completions", {"model": (str,), "messages": (list,)}, plain, stream)
