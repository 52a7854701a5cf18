"""`POST /v1/responses`, plain and streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from loadtests.fake_upstream import sse
from loadtests.fake_upstream.answer import Choice, ToolCall, cut
from loadtests.fake_upstream.call import Call, Endpoint, Json

_INCOMPLETE: Mapping[str, str] = MappingProxyType(
    {"length": "max_output_tokens", "content_filter": "content_filter"}
)
_ECHOED: Mapping[str, Any] = MappingProxyType(
    {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": True,
        "reasoning": {"effort": None, "summary": None},
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
)


def plain(call: Call) -> Json:
    """Return a finished `response` object."""
    choice = call.answer.choices[0]
    return _response(call, choice, [item for item, _ in _items(call, choice)])


def stream(call: Call) -> list[bytes]:
    """Return the events of a response from `response.created` to its end."""
    numbers = count()
    return [sse.event(event | {"sequence_number": next(numbers)}) for event in _events(call)]


def _events(call: Call) -> Iterator[Json]:
    choice = call.answer.choices[0]
    begun = _begun(call)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    items = _items(call, choice)
    for index, (item, parts) in enumerate(items):
        place = {"item_id": item["id"], "output_index": index}
        yield {
            "type": "response.output_item.added",
            "output_index": index,
            "item": item | _EMPTY[item["type"]],
        }
        yield from (part | place for part in parts)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    finished = _response(call, choice, [item for item, _ in items])
    yield {"type": f"response.{finished['status']}", "response": finished}


_EMPTY: Mapping[str, Json] = MappingProxyType(
    {
        "reasoning": {"summary": []},
        "message": {"status": "in_progress", "content": []},
        "function_call": {"status": "in_progress", "arguments": ""},
    }
)


def _response(call: Call, choice: Choice, output: list[Json]) -> Json:
    reason = _INCOMPLETE.get(choice.finish)
    tools = [{"strict": True, "description": None} | tool for tool in call.body.get("tools") or ()]
    echoed = {name: call.body.get(name, default) for name, default in _ECHOED.items()}
    return echoed | {
        "id": f"resp_{call.ident}",
        "object": "response",
        "created_at": call.created,
        "status": "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": call.model,
        "output": output,
        "tools": tools,
        "usage": None if call.behaviour.no_usage else _usage(call),
    }


def _begun(call: Call) -> Json:
    started = {"status": "in_progress", "incomplete_details": None, "usage": None}
    return _response(call, call.answer.choices[0], []) | started


def _usage(call: Call) -> Json:
    answer = call.answer
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def _items(call: Call, choice: Choice) -> list[tuple[Json, list[Json]]]:
    """Return the output items, each with the events between its `added` and its `done`."""
    items = []
    if choice.reasoning:
        items.append(_reasoning(call, choice))
    if choice.tool_calls:
        items += [_function_call(call, tool) for tool in choice.tool_calls]
    else:
        items.append(_message(call, choice))
    return items


def _reasoning(call: Call, choice: Choice) -> tuple[Json, list[Json]]:
    text = "".join(choice.reasoning)
    part = {"type": "summary_text", "text": text}
    kind = "response.reasoning_summary"
    events: list[Json] = [
        {"type": f"{kind}_part.added", "part": part | {"text": ""}},
        *({"type": f"{kind}_text.delta", "delta": piece} for piece in choice.reasoning),
        {"type": f"{kind}_text.done", "text": text},
        {"type": f"{kind}_part.done", "part": part},
    ]
    item = {"id": f"rs_{call.ident}", "type": "reasoning", "summary": [part]}
    return item, [event | {"summary_index": 0} for event in events]


def _message(call: Call, choice: Choice) -> tuple[Json, list[Json]]:
    content, deltas = (_refusal if choice.refusal else _text)(choice)
    whole = "refusal" if choice.refusal else "text"
    events: list[Json] = [
        {"type": "response.content_part.added", "part": content | {whole: ""}},
        *deltas,
        {"type": "response.content_part.done", "part": content},
    ]
    item = {
        "id": f"msg_{call.ident}",
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if choice.finish in _INCOMPLETE else "completed",
        "content": [content],
    }
    return item, [event | {"content_index": 0} for event in events]


def _text(choice: Choice) -> tuple[Json, list[Json]]:
    kind = "response.output_text"
    deltas: list[Json] = [
        {"type": f"{kind}.delta", "delta": piece, "logprobs": []} for piece in choice.pieces
    ]
    done = {"type": f"{kind}.done", "text": choice.text, "logprobs": []}
    part = {"type": "output_text", "text": choice.text, "annotations": [], "logprobs": []}
    return part, [*deltas, done]


def _refusal(choice: Choice) -> tuple[Json, list[Json]]:
    deltas: list[Json] = [
        {"type": "response.refusal.delta", "delta": piece} for piece in choice.pieces
    ]
    done = {"type": "response.refusal.done", "refusal": choice.text}
    return {"type": "refusal", "refusal": choice.text}, [*deltas, done]


def _function_call(call: Call, tool: ToolCall) -> tuple[Json, list[Json]]:
    kind = "response.function_call_arguments"
    deltas: list[Json] = [
        {"type": f"{kind}.delta", "delta": piece} for piece in cut(tool.arguments)
    ]
    done = {"type": f"{kind}.done", "arguments": tool.arguments}
    item = {
        "id": f"fc_{call.ident}{tool.id[-1]}",
        "type": "function_call",
        "call_id": tool.id,
        "name": tool.name,
        "arguments": tool.arguments,
        "status": "completed",
    }
    return item, [*deltas, done]


ENDPOINT = Endpoint("responses", {"model": (str,), "input": (str, list)}, plain, stream)
