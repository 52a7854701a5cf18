"""Responses: the final event is the answer, and its sequence can be told again from it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent

from cachemw.endpoints.base import Fresh
from cachemw.endpoints.responses import Responses
from cachemw.errors import BadRequest
from loadtests.fake_upstream import behaviour, responses
from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.call import Call
from tests.support import schema, sse

RESPONSES = Responses()
FRESH = Fresh("f00d", 1_700_000_000)
TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
ECHOED: dict[str, Any] = {
    "metadata": {},
    "user": None,
    "safety_identifier": None,
    "prompt_cache_key": None,
}

texts = st.text(max_size=60)


def faked(directives: str = "", **body: Any) -> Call:
    body = {"model": "m", "input": "Hi", **body}
    how = behaviour.parse(directives)
    return Call(body, how, compose(body, how, tokens=12, salt=""), serial=1, created=1)


PLAIN = responses.plain(faked())


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["message", "refusal", "reasoning", "function_call", "unknown"]))
    text = draw(texts)
    if kind == "function_call":
        call = {"id": "fc_1", "call_id": "call_1", "name": "look_up", "arguments": text}
        return {"type": "function_call", "status": "completed", **call}
    if kind == "reasoning":
        return {"id": "rs_1", "type": kind, "summary": [{"type": "summary_text", "text": text}]}
    if kind == "unknown":
        return {"id": "x_1", "type": "x_vendor", "x": {"text": text}}
    output: dict[str, Any] = {"type": "refusal", "refusal": text}
    if kind == "message":
        cited = {"type": "file_path", "file_id": "file_1", "index": 0}
        annotations = draw(st.lists(st.just(cited), max_size=2))
        output = {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
    shell = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {**shell, "content": [output]}


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    reason = draw(st.sampled_from([None, "max_output_tokens", "content_filter"]))
    return {
        **PLAIN,
        "store": draw(st.booleans()),
        "output": draw(st.lists(items(), max_size=3)),
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "completed_at": draw(st.sampled_from([None, 2])),
    }


def replay(answer: dict[str, Any], piece: int = 8) -> list[sse.Event]:
    packed = orjson.loads(RESPONSES.pack(answer))
    return sse.parse(b"".join(RESPONSES.events(packed, FRESH, usage=False, piece=piece)))


def collected(events: list[sse.Event]) -> dict[str, Any] | None:
    collector = RESPONSES.collector({})
    for event in events:
        collector.feed(event.name, event.data)
    return collector.answer()


def renewed(answer: dict[str, Any]) -> dict[str, Any]:
    ended = None if answer.get("completed_at") is None else FRESH.created
    shell = {"created_at": FRESH.created, **({"completed_at": ended} if ended else {})}
    ident = answer["id"] if answer["store"] else "resp_f00d"
    echoed = {name: value for name, value in ECHOED.items() if name in answer}
    return {**answer, **shell, **echoed, "id": ident}


class TestReplay:
    @given(answers(), st.integers(1, 30))
    def test_a_stream_collects_to_the_answer(self, answer: dict[str, Any], piece: int) -> None:
        assert collected(replay(answer, piece)) == renewed(answer)

    @given(answers())
    def test_the_plain_form_is_the_answer(self, answer: dict[str, Any]) -> None:
        assert orjson.loads(RESPONSES.render(RESPONSES.pack(answer), FRESH)) == renewed(answer)

    @given(answers())
    def test_a_stream_cut_anywhere_is_no_answer(self, answer: dict[str, Any]) -> None:
        events = replay(answer)

        for length in range(len(events)):
            assert collected(events[:length]) is None

    @given(answers())
    def test_events_are_named_and_numbered(self, answer: dict[str, Any]) -> None:
        events = replay(answer)

        assert [event.data["sequence_number"] for event in events] == list(range(len(events)))
        assert all(event.name == event.data["type"] for event in events)

    @given(answers())
    def test_it_begins_with_nothing_of_the_answer(self, answer: dict[str, Any]) -> None:
        begun = replay(answer)[0].data["response"]

        assert begun["status"] == "in_progress"
        assert begun["output"] == []
        ends = [begun[name] for name in ("usage", "incomplete_details", "completed_at")]
        assert ends == [None] * 3

    @given(texts, st.integers(1, 30))
    def test_texts_join_and_are_bounded(self, text: str, piece: int) -> None:
        output = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        item = {"id": "m", "type": "message", "role": "assistant", "content": output}

        events = [event.data for event in replay({**PLAIN, "output": [item]}, piece)]

        deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
        assert "".join(deltas) == text
        assert all(0 < len(delta) < 2 * piece for delta in deltas)

    def test_an_id_that_is_no_handle_is_renewed(self) -> None:
        kept = {**PLAIN, "store": True}
        for answer, ident in ((kept, kept["id"]), ({**PLAIN, "store": False}, "resp_f00d")):
            assert orjson.loads(RESPONSES.render(RESPONSES.pack(answer), FRESH))["id"] == ident

    def test_one_user_is_not_told_of_another(self) -> None:
        secret = {"user": "u-4711", "metadata": {"for": "u-4711"}, "safety_identifier": "u-4711"}
        answer = {**PLAIN, **secret, "prompt_cache_key": "u-4711"}

        assert b"u-4711" not in RESPONSES.pack(answer)


SHAPES = {
    "text": faked(),
    "refusal": faked("refusal"),
    "reasoning": faked("reasoning"),
    "two tools": faked("tools=2", tools=[TOOL]),
    "cut short": faked(max_output_tokens=3),
    "filtered": faked("finish=content_filter"),
    "not stored": faked(store=False),
}


@pytest.mark.parametrize("call", SHAPES.values(), ids=SHAPES)
class TestAgainstTheFakeUpstream:
    def test_its_stream_collects_to_its_plain_answer(self, call: Call) -> None:
        answer = collected(sse.parse(b"".join(responses.stream(call))))

        assert answer == responses.plain(call)
        assert RESPONSES.verdict(answer).complete

    def test_our_events_are_of_openais_schema_and_in_its_order(self, call: Call) -> None:
        events = replay(responses.plain(call))

        for event in events:
            schema.check(ResponseStreamEvent, event.data)
        assert _kinds(events) == _kinds(sse.parse(b"".join(responses.stream(call))))
        schema.check(Response, events[-1].data["response"])


def _kinds(events: list[sse.Event]) -> list[str | None]:
    """Return the kinds of events in their order, several deltas in a row as one."""
    names = [event.name for event in events]
    return [
        name
        for i, name in enumerate(names)
        if i == 0 or name != names[i - 1] or "delta" not in str(name)
    ]


class TestCollector:
    def test_an_error_event_spoils_the_answer(self) -> None:
        collector = RESPONSES.collector({})
        collector.feed("error", {"type": "error", "message": "overloaded"})
        collector.feed(None, {"type": "response.completed", "response": PLAIN})

        assert collector.broken
        assert collector.answer() is None

    def test_a_failed_response_is_not_complete(self) -> None:
        failed = {**PLAIN, "status": "failed"}
        collector = RESPONSES.collector({})
        collector.feed(None, {"type": "response.failed", "response": failed})

        answer = collector.answer()

        assert answer == failed
        assert not RESPONSES.verdict(failed).complete

    @pytest.mark.parametrize(
        "event", [{}, {"type": "response.completed"}, {"type": "response.completed", "response": 1}]
    )
    def test_malformed_events_are_no_answer(self, event: dict[str, Any]) -> None:
        collector = RESPONSES.collector({})
        collector.feed(None, event)

        assert collector.answer() is None


class TestVerdict:
    @pytest.mark.parametrize(
        ("status", "reason", "complete", "truncated", "blocked"),
        [
            ("completed", None, True, False, False),
            ("incomplete", "max_output_tokens", True, True, False),
            ("incomplete", "content_filter", True, False, True),
            ("incomplete", None, True, True, False),
            ("in_progress", None, False, False, False),
            ("queued", None, False, False, False),
            ("cancelled", None, False, False, False),
            ("failed", None, False, False, False),
        ],
    )
    def test_by_status(
        self, status: str, reason: str | None, *, complete: bool, truncated: bool, blocked: bool
    ) -> None:
        details = None if reason is None else {"reason": reason}
        verdict = RESPONSES.verdict({"status": status, "incomplete_details": details, "output": []})

        ends = (verdict.complete, verdict.truncated, verdict.blocked)
        assert ends == (complete, truncated, blocked)

    @pytest.mark.parametrize("output", [None, "text", ["text"]])
    def test_output_that_cannot_be_replayed(self, output: Any) -> None:
        assert not RESPONSES.verdict({"status": "completed", "output": output}).complete

    def test_usage(self) -> None:
        verdict = RESPONSES.verdict({"usage": {"input_tokens": 3, "output_tokens": 5}})

        assert (verdict.prompt_tokens, verdict.completion_tokens) == (3, 5)


def said(content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


class TestQuestion:
    @pytest.mark.parametrize(
        "value",
        [
            "Why?",
            [said("Why?")],
            [said("Why?", type="message")],
            [said([{"type": "input_text", "text": "Why?"}])],
            [said("Hi"), said("Hello", "assistant"), said("Why?")],
        ],
        ids=["text", "message", "typed", "part", "history"],
    )
    def test_the_last_users_text(self, value: Any) -> None:
        question = RESPONSES.question({"input": value, "instructions": "Be brief."})

        assert question is not None
        assert question.text == "Why?"
        assert b"Why?" not in orjson.dumps(question.params_without)
        assert question.params_without["instructions"] == "Be brief."

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"input": ""},
            {"input": []},
            {"input": "Why?", "tools": [TOOL]},
            {"input": "Why?", "previous_response_id": "resp_1"},
            {"input": [said("Why?", "assistant")]},
            {"input": [said([{"type": "input_image", "image_url": "data:"}])]},
            {"input": [said([{"type": "input_text", "text": "Why?"}] * 2)]},
            {"input": [{"type": "function_call_output", "output": "5"}, said("Why?")]},
            {"input": [{"type": "item_reference", "id": "x"}, said("Why?")]},
            {"input": ["Why?"]},
        ],
        ids=lambda params: orjson.dumps(params).decode()[:60],
    )
    def test_all_else_is_exact_only(self, params: dict[str, Any]) -> None:
        assert RESPONSES.question(params) is None


@pytest.mark.parametrize(
    ("params", "cacheable"),
    [
        ({"input": "Hi"}, True),
        ({"input": "Hi", "background": False, "conversation": None}, True),
        ({"input": "Hi", "background": True}, False),
        ({"input": "Hi", "conversation": "conv_1"}, False),
        ({"input": "Hi", "conversation": {"id": "conv_1"}}, False),
    ],
)
def test_what_depends_on_upstream_state_is_not_cached(
    params: dict[str, Any], *, cacheable: bool
) -> None:
    assert RESPONSES.cacheable(params) is cacheable


@pytest.mark.parametrize("value", [5, {}, True])
def test_input_is_a_text_or_an_array(value: Any) -> None:
    with pytest.raises(BadRequest, match="'input'") as caught:
        RESPONSES.check({"input": value})
    assert caught.value.param == "input"
