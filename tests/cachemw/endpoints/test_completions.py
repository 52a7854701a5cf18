"""Legacy completions: exact only, and streamed from the same stored answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion

from cachemw.endpoints.base import Fresh
from cachemw.endpoints.completions import Completions
from cachemw.errors import BadRequest
from loadtests.fake_upstream import behaviour, completions
from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.call import Call
from tests.support import schema, sse

COMPLETIONS = Completions()
FRESH = Fresh("f00d", 1_700_000_000)


@st.composite
def choices(draw: st.DrawFn, index: int) -> dict[str, Any]:
    text = draw(st.text(max_size=80))
    logprobs = {
        "tokens": [text],
        "token_logprobs": [-0.5],
        "top_logprobs": None,
        "text_offset": [0],
    }
    choice = {
        "index": index,
        "text": text,
        "logprobs": draw(st.sampled_from([None, logprobs])),
        "finish_reason": draw(st.sampled_from(["stop", "length"])),
    }
    return {**choice, **draw(st.sampled_from([{}, {"stop_reason": 7}]))}


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "id": "cmpl-upstream",
        "object": "text_completion",
        "created": 1,
        "model": "gpt",
        "choices": [draw(choices(index)) for index in range(draw(st.integers(1, 3)))],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        "x_vendor": "v",
    }


def chunks(answer: dict[str, Any], *, usage: bool = True, piece: int = 8) -> list[dict[str, Any]]:
    packed = orjson.loads(COMPLETIONS.pack(answer))
    events = sse.parse(b"".join(COMPLETIONS.events(packed, FRESH, usage=usage, piece=piece)))
    assert events[-1].data == sse.DONE
    return [event.data for event in events[:-1]]


def collected(events: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any] | None:
    collector = COMPLETIONS.collector(params)
    for event in events:
        collector.feed(None, event)
    return collector.answer()


def faked(directives: str = "", **body: Any) -> Call:
    body = {"model": "m", "prompt": "Once", **body}
    how = behaviour.parse(directives)
    return Call(body, how, compose(body, how, tokens=12, salt=""), serial=1, created=1)


@given(answers(), st.integers(1, 30))
def test_a_stream_collects_to_the_answer(answer: dict[str, Any], piece: int) -> None:
    fresh = {**answer, "id": "cmpl-f00d", "created": FRESH.created}

    assert collected(chunks(answer, piece=piece), {"n": len(answer["choices"])}) == fresh
    assert orjson.loads(COMPLETIONS.render(COMPLETIONS.pack(answer), FRESH)) == fresh


@given(answers())
def test_a_stream_cut_anywhere_is_no_answer(answer: dict[str, Any]) -> None:
    events = chunks(answer, usage=False)

    for length in range(len(events)):
        assert collected(events[:length], {"n": len(answer["choices"])}) is None


@given(answers())
def test_usage_comes_where_it_was_asked_for(answer: dict[str, Any]) -> None:
    assert all("usage" not in chunk for chunk in chunks(answer, usage=False))

    *others, last = chunks(answer)

    assert (last["choices"], last["usage"]) == ([], answer["usage"])
    assert all(chunk["usage"] is None for chunk in others)


@pytest.mark.parametrize(
    "call",
    [faked(), faked("logprobs"), faked("n=2", n=2), faked(prompt=["a", "b"]), faked(max_tokens=2)],
    ids=["text", "logprobs", "two", "two prompts", "cut short"],
)
class TestAgainstTheFakeUpstream:
    def test_its_stream_collects_to_its_plain_answer(self, call: Call) -> None:
        events = [
            e.data for e in sse.parse(b"".join(completions.stream(call))) if e.data != "[DONE]"
        ]
        params = dict(call.body)

        plain = completions.plain(call)
        del plain["usage"]  # not asked for
        if plain["choices"][0]["logprobs"]:
            # Offsets of a stream count from each chunk on: they are the upstream's own.
            assert collected(events, params) is not None
        else:
            assert collected(events, params) == plain

    def test_our_replay_of_its_answer_is_of_openais_schema(self, call: Call) -> None:
        for chunk in chunks(completions.plain(call)):
            # The package's model of a chunk is that of the whole, which always has ended.
            for choice in chunk["choices"]:
                choice["finish_reason"] = choice["finish_reason"] or "stop"
            schema.check(Completion, chunk)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"prompt": "a"}, 1),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [1, 2, 3]}, 1),  # one prompt of three tokens
        ({"prompt": [[1], [2, 3]]}, 2),
        ({"prompt": []}, 1),
        ({}, 1),
    ],
)
def test_one_choice_for_each_prompt_and_each_of_n(params: dict[str, Any], expected: int) -> None:
    def some(count: int) -> list[dict[str, Any]]:
        choices = [{"index": i, "text": "x", "finish_reason": "stop"} for i in range(count)]
        return [{"object": "text_completion", "choices": choices}]

    assert collected(some(expected), params) is not None
    assert collected(some(expected - 1), params) is None


@pytest.mark.parametrize("prompt", ["Why is the sky blue?", ["Why?"], [1, 2]])
def test_exact_only(prompt: Any) -> None:
    COMPLETIONS.check({"prompt": prompt})

    assert COMPLETIONS.question({"prompt": prompt}) is None


@pytest.mark.parametrize("prompt", [5, {}, True])
def test_a_prompt_is_a_text_or_an_array(prompt: Any) -> None:
    with pytest.raises(BadRequest, match="'prompt'") as caught:
        COMPLETIONS.check({"prompt": prompt})
    assert caught.value.param == "prompt"


def test_a_choice_without_text_is_not_complete() -> None:
    assert not COMPLETIONS.verdict({"choices": [{"finish_reason": "stop"}]}).complete
    assert COMPLETIONS.verdict({"choices": [{"text": "", "finish_reason": "stop"}]}).complete
