"""The event sequence of a streamed response, rebuilt from the finished one.

Source: OpenAI's Responses streaming events. Output items of a kind not known here are announced
and finished whole, so that nothing of an answer is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cachemw.endpoints.base import Json, pieces


def response_events(response: Json, piece: int) -> Iterator[Json]:
    """Yield the events of `response` in order, without their sequence numbers."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    begun |= {field: None for field in ("completed_at", "incomplete_details") if field in response}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response.get("output") or []):
        yield from _item_events(index, item, piece)
    kind = "completed" if response.get("status") == "completed" else "incomplete"
    yield {"type": f"response.{kind}", "response": response}


def _item_events(index: int, item: Json, piece: int) -> Iterator[Json]:
    parts = {"message": _message, "function_call": _function_call, "reasoning": _reasoning}
    kind = str(item.get("type"))
    begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
    begun |= {field: type(item[field])() for field in _GROWING.get(kind, ()) if item.get(field)}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if kind in parts:
        where = {"output_index": index, "item_id": item.get("id", "")}
        yield from parts[kind](item, where, piece)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


_GROWING = {"message": ("content",), "function_call": ("arguments",), "reasoning": ("summary",)}


def _message(item: Json, where: Json, piece: int) -> Iterator[Json]:
    for number, part in enumerate(item.get("content") or []):
        at = {**where, "content_index": number}
        field = "refusal" if part.get("type") == "refusal" else "text"
        name = "response.refusal" if field == "refusal" else "response.output_text"
        extra: Json = {} if field == "refusal" else {"logprobs": part.get("logprobs") or []}
        blank = {**part, field: ""}
        blank |= {grows: [] for grows in ("annotations", "logprobs") if part.get(grows)}
        yield {"type": "response.content_part.added", **at, "part": blank}
        yield from _text(name, field, str(part.get(field) or ""), at, piece, extra)
        for count, annotation in enumerate(part.get("annotations") or []):
            yield {
                "type": "response.output_text.annotation.added",
                **at,
                "annotation_index": count,
                "annotation": annotation,
            }
        yield {"type": "response.content_part.done", **at, "part": part}


def _function_call(item: Json, where: Json, piece: int) -> Iterator[Json]:
    arguments = str(item.get("arguments") or "")
    name = "response.function_call_arguments"
    for part in pieces(arguments, piece):
        yield {"type": f"{name}.delta", **where, "delta": part}
    yield {"type": f"{name}.done", **where, "arguments": arguments}


def _reasoning(item: Json, where: Json, piece: int) -> Iterator[Json]:
    for number, part in enumerate(item.get("summary") or []):
        at = {**where, "summary_index": number}
        name = "response.reasoning_summary"
        yield {"type": f"{name}_part.added", **at, "part": {**part, "text": ""}}
        yield from _text(f"{name}_text", "text", str(part.get("text") or ""), at, piece, {})
        yield {"type": f"{name}_part.done", **at, "part": part}


def _text(
    name: str, field: str, text: str, at: Json, piece: int, extra: dict[str, Any]
) -> Iterator[Json]:
    # Logprobs belong to tokens and cannot be cut at our pieces: they go with the `done` event.
    blank: Json = {"logprobs": []} if extra else {}
    for part in pieces(text, piece):
        yield {"type": f"{name}.delta", **at, "delta": part, **blank}
    yield {"type": f"{name}.done", **at, field: text, **extra}
