"""The sequence of events of a response, told again from the finished one."""

from __future__ import annotations

from typing import Any

import pytest

from cachemw.endpoints.response_events import response_events


def told(*output: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    response = {"status": "completed", "output": list(output), "usage": {"total_tokens": 1}, **more}
    return list(response_events(response, 4))


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "m", "status": "completed", "content": list(parts)}


def test_an_empty_response_begins_and_ends() -> None:
    assert kinds(told()) == ["created", "in_progress", "completed"]


@pytest.mark.parametrize("status", ["incomplete", "completed"])
def test_it_ends_as_it_did(status: str) -> None:
    last = told(status=status)[-1]

    assert last["type"] == f"response.{status}"
    assert last["response"]["status"] == status


def test_a_message_grows_from_nothing_to_its_text() -> None:
    part = {"type": "output_text", "text": "abcdefghij", "annotations": [{"a": 1}]}

    events = told(message({**part, "logprobs": [{"token": "abcdefghij"}]}))[2:-1]

    assert kinds(events) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "output_text.annotation.added",
        "content_part.done",
        "output_item.done",
    ]
    assert events[0]["item"]["content"] == []
    assert events[0]["item"]["status"] == "in_progress"
    begun = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert events[1]["part"] == begun
    assert events[5]["logprobs"] == [{"token": "abcdefghij"}]
    assert events[8]["item"]["status"] == "completed"


def test_each_event_says_where_it_belongs() -> None:
    refusal = {"type": "refusal", "refusal": "No."}
    events = told(message(refusal), message(refusal, refusal))

    deltas = [event for event in events if event["type"] == "response.refusal.delta"]
    assert [(e["output_index"], e["content_index"]) for e in deltas] == [(0, 0), (1, 0), (1, 1)]
    assert all(event["item_id"] == "m" for event in deltas)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "x_vendor", "id": "x", "status": "completed", "result": {"a": [1]}},
        {"type": "web_search_call", "id": "w", "action": {"query": "q"}},
        {"id": "untyped"},
    ],
)
def test_an_item_of_another_kind_is_announced_and_finished_whole(item: dict[str, Any]) -> None:
    added, done = told(item)[2:-1]

    assert (added["type"], done["type"]) == (
        "response.output_item.added",
        "response.output_item.done",
    )
    assert done["item"] == item


def test_what_is_told_does_not_change_the_response() -> None:
    part = {"type": "output_text", "text": "abc", "annotations": [{"a": 1}], "logprobs": []}
    item = message(part)

    told(item)

    assert item == message({**part, "annotations": [{"a": 1}]})
