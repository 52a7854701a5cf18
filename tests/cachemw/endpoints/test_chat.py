"""Chat: what is fuzzy, and an answer that survives being streamed in every form."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from cachemw.endpoints.base import Collector, Fresh
from cachemw.endpoints.chat import ChatCompletions
from cachemw.errors import BadRequest
from loadtests.fake_upstream import behaviour, chat
from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.call import Call
from tests.support import schema, sse

CHAT = ChatCompletions()
FRESH = Fresh("f00d", 1_700_000_000)
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}

texts = st.text(max_size=60)
names = st.text("abcdefgh", min_size=1, max_size=6)


def token(text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}


@st.composite
def logprobs(draw: st.DrawFn, field: str, text: str) -> dict[str, Any] | None:
    """Draw none, tokens that join to the text, or such that do not (cut characters, an end)."""
    kind = draw(st.sampled_from(["none", "fit", "odd"]))
    if kind == "none" or not text:
        return None
    width = draw(st.integers(1, 9))
    tokens = [token(text[start : start + width]) for start in range(0, len(text), width)]
    if kind == "odd":
        tokens.append(token("<|end|>"))
    return {"content": None, "refusal": None, field: tokens}


@st.composite
def tool_calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 3))
    return [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": draw(names), "arguments": draw(texts)},
        }
        for number in range(count)
    ]


@st.composite
def choices(draw: st.DrawFn, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    kind = draw(st.sampled_from(["content", "refusal", "tools"]))
    logs = None
    if kind == "tools":
        message["tool_calls"] = draw(tool_calls())
        message["content"] = draw(st.none() | texts)
    else:
        message[kind] = draw(texts)
        logs = draw(logprobs(kind, message[kind]))
    if draw(st.booleans()):
        message["reasoning_content"] = draw(texts)
    if draw(st.booleans()):
        message["x_vendor"] = {"deep": [1, {"a": draw(texts)}]}
    choice = {
        "index": index,
        "message": message,
        "logprobs": logs,
        "finish_reason": draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
    }
    if draw(st.booleans()):
        choice["x_stop"] = draw(st.integers(1, 9))
    return choice


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 3))
    return {
        "id": "chatcmpl-upstream",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt",
        "choices": [draw(choices(index)) for index in range(count)],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        "system_fingerprint": draw(st.sampled_from(["fp_1", ""])),
        "x_vendor": draw(st.dictionaries(names, st.integers(0, 99), min_size=1, max_size=2)),
    }


def replay(answer: dict[str, Any], *, usage: bool = True, piece: int = 8) -> list[sse.Event]:
    packed = orjson.loads(CHAT.pack(answer))
    return sse.parse(b"".join(CHAT.events(packed, FRESH, usage=usage, piece=piece)))


def chunks(answer: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    *events, done = replay(answer, **options)
    assert done.data == sse.DONE
    return [event.data for event in events]


def collect(events: list[dict[str, Any]], n: Any = None) -> Collector:
    collector = CHAT.collector({} if n is None else {"n": n})
    for event in events:
        collector.feed(None, copy.deepcopy(event))
    return collector


def renewed(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "id": "chatcmpl-f00d", "created": FRESH.created}


def faked(directives: str = "", **body: Any) -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}
    how = behaviour.parse(directives)
    return Call(body, how, compose(body, how, tokens=12, salt=""), serial=1, created=1)


class TestReplay:
    @given(answers(), st.integers(1, 30))
    def test_a_stream_collects_to_the_answer(self, answer: dict[str, Any], piece: int) -> None:
        collected = collect(chunks(answer, piece=piece), len(answer["choices"])).answer()

        assert collected == renewed(answer)

    @given(answers())
    def test_the_plain_form_is_the_answer(self, answer: dict[str, Any]) -> None:
        assert orjson.loads(CHAT.render(CHAT.pack(answer), FRESH)) == renewed(answer)

    @given(answer=answers(), usage=st.booleans())
    def test_every_chunk_is_of_one_fresh_answer(
        self, answer: dict[str, Any], *, usage: bool
    ) -> None:
        for chunk in chunks(answer, usage=usage):
            schema.check(
                ChatCompletionChunk, chunk, extras={"reasoning_content", "x_vendor", "x_stop"}
            )
            assert (chunk["id"], chunk["created"]) == ("chatcmpl-f00d", FRESH.created)

    @given(answers())
    def test_usage_comes_where_it_was_asked_for(self, answer: dict[str, Any]) -> None:
        assert all("usage" not in chunk for chunk in chunks(answer, usage=False))

        *others, last = chunks(answer, usage=True)

        assert (last["choices"], last["usage"]) == ([], answer["usage"])
        assert all(chunk["usage"] is None and chunk["choices"] for chunk in others)

    def test_no_usage_chunk_where_the_upstream_gave_none(self) -> None:
        answer = chat.plain(faked("no-usage"))

        assert all(chunk["choices"] for chunk in chunks(answer, usage=True))

    @given(st.text(min_size=200), st.integers(1, 30))
    def test_a_long_text_comes_in_many_pieces(self, text: str, piece: int) -> None:
        answer = chat.plain(faked())
        answer["choices"][0]["message"]["content"] = text

        deltas = [c["choices"][0]["delta"] for c in chunks(answer, piece=piece, usage=False)]

        said = [delta["content"] for delta in deltas if delta.get("content")]
        assert "".join(said) == text
        assert max(map(len, said)) < 2 * piece
        assert deltas[0] == {"role": "assistant", "content": ""}
        assert deltas[-1] == {}

    def test_arguments_of_a_tool_call_come_in_pieces_too(self) -> None:
        answer = chat.plain(faked())
        function = {"name": "look_up", "arguments": '{"q": "' + "x" * 100 + '"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        answer["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}

        parts = [
            fragment
            for chunk in chunks(answer, usage=False)
            for fragment in chunk["choices"][0]["delta"].get("tool_calls", [])
        ]

        assert parts[0] == {**call, "index": 0, "function": {"name": "look_up", "arguments": ""}}
        assert len(parts) > 10
        assert all(set(part) == {"index", "function"} for part in parts[1:])

    @pytest.mark.parametrize(
        "call",
        [
            {"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "c", "type": "function", "function": {"name": "f"}},
        ],
        ids=["custom", "arguments as an object", "no arguments"],
    )
    def test_other_tool_calls_go_whole(self, call: dict[str, Any]) -> None:
        answer = chat.plain(faked())
        answer["choices"][0]["message"]["tool_calls"] = [call]

        collected = collect(chunks(answer)).answer()

        assert collected is not None
        assert collected["choices"][0]["message"]["tool_calls"] == [call]

    def test_logprobs_come_with_their_tokens(self) -> None:
        answer = chat.plain(faked("logprobs"))

        for chunk in chunks(answer, usage=False):
            (choice,) = chunk["choices"]
            text = choice["delta"].get("content")
            tokens = (choice["logprobs"] or {}).get("content") or []
            assert [t["token"] for t in tokens] == ([text] if text else [])

    def test_a_character_that_is_several_tokens_is_not_spelt_by_them(self) -> None:
        answer = chat.plain(faked())
        halves = [{**token("?"), "token": part} for part in ("\\xf0\\x9f", "\\x8e\\x89")]
        choice = answer["choices"][0]
        choice["message"]["content"] = "🎉"
        choice["logprobs"] = {"content": halves, "refusal": None}

        collected = collect(chunks(answer)).answer()

        assert collected is not None
        assert collected["choices"][0]["message"]["content"] == "🎉"
        assert collected["choices"][0]["logprobs"] == choice["logprobs"]

    def test_choices_without_an_index_are_counted(self) -> None:
        answer = chat.plain(faked("n=2"))
        for choice in answer["choices"]:
            del choice["index"]

        assert {c["choices"][0]["index"] for c in chunks(answer, usage=False)} == {0, 1}


SHAPES = {
    "text": faked(),
    "one of three": faked("n=3", n=3),
    "refusal": faked("refusal"),
    "reasoning": faked("reasoning"),
    "logprobs": faked("logprobs"),
    "two tools": faked("tools=2", tools=[TOOL]),
    "cut short": faked(max_tokens=3),
    "everything": faked("reasoning;logprobs;n=2", n=2, stream_options={"include_usage": True}),
}


@pytest.mark.parametrize("call", SHAPES.values(), ids=SHAPES)
class TestAgainstTheFakeUpstream:
    """Its plain and its streamed form are written apart from ours."""

    def streamed(self, call: Call) -> list[dict[str, Any]]:
        return [e.data for e in sse.parse(b"".join(chat.stream(call))) if e.data != sse.DONE]

    def test_its_stream_collects_to_its_plain_answer(self, call: Call) -> None:
        answer = collect(self.streamed(call), call.body.get("n")).answer()

        plain = chat.plain(call)
        for choice in plain["choices"]:
            del choice["message"]["annotations"]  # empty, and not streamed
        if not call.include_usage:
            del plain["usage"]
        assert answer == plain
        schema.check(ChatCompletion, answer)

    def test_a_stream_cut_before_the_last_finish_is_no_answer(self, call: Call) -> None:
        events = [event for event in self.streamed(call) if event["choices"]]

        assert all(
            collect(events[:length], call.body.get("n")).answer() is None
            for length in range(len(events))
        )

    def test_our_replay_of_its_answer_is_of_openais_schema(self, call: Call) -> None:
        for chunk in chunks(chat.plain(call)):
            schema.check(ChatCompletionChunk, chunk)

    def test_it_is_judged_alike_in_both_forms(self, call: Call) -> None:
        answer = collect(self.streamed(call), call.body.get("n")).answer()

        assert answer is not None
        assert CHAT.verdict(answer).complete
        assert CHAT.verdict(answer).truncated is CHAT.verdict(chat.plain(call)).truncated


class TestCollector:
    def events(self, n: int = 1) -> list[dict[str, Any]]:
        return chunks(chat.plain(faked(f"n={n}")), usage=False)

    @given(answers())
    def test_a_replay_cut_anywhere_is_no_answer(self, answer: dict[str, Any]) -> None:
        events = chunks(answer, usage=False)
        for length in range(len(events)):
            assert collect(events[:length], len(answer["choices"])).answer() is None

    def test_fewer_choices_than_asked_for(self) -> None:
        assert collect(self.events(2), 2).answer() is not None
        assert collect(self.events(2), 3).answer() is None

    @pytest.mark.parametrize("error", [{"message": "overloaded"}, "overloaded"])
    def test_an_error_in_the_stream(self, error: Any) -> None:
        events = self.events()
        collector = collect([*events[:2], {"error": error}, *events[2:]])

        assert collector.broken
        assert collector.answer() is None

    def test_an_error_in_place_of_a_chunk(self) -> None:
        assert collect([*self.events(), {"object": "error", "message": "overloaded"}]).broken

    def test_an_empty_name_does_not_undo_one(self) -> None:
        first = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
        last = {"model": "", "choices": []}

        answer = collect([first, *self.events(), last]).answer()

        assert answer is not None
        assert (answer["model"], answer["id"]) == ("m", "chatcmpl-f00d")

    def test_an_error_event(self) -> None:
        collector = collect(self.events())
        collector.feed("error", {"message": "overloaded"})

        assert collector.broken
        assert collector.answer() is None

    @pytest.mark.parametrize(
        "event",
        [
            {"choices": ["text"]},
            {"choices": [None]},
            {"choices": [{"index": "0", "delta": {}, "finish_reason": "stop"}]},
            {"choices": [{"index": [0], "delta": {}, "finish_reason": "stop"}]},
        ],
    )
    def test_a_choice_that_is_none_spoils_the_answer(self, event: dict[str, Any]) -> None:
        collector = collect([*self.events(), event])

        assert collector.broken
        assert collector.answer() is None

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["index", "delta", "finish_reason", "logprobs", "tool_calls", "content"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
    )
    def test_nonsense_is_no_crash(self, choice: Any) -> None:
        collector = collect([{"choices": choice}, {"choices": [choice]}])

        answer = collector.answer()

        assert answer is None or CHAT.verdict(answer).complete

    def test_a_finish_reason_without_a_message_is_no_answer(self) -> None:
        assert collect([{"choices": [{"index": 0, "finish_reason": "stop"}]}]).answer() is None

    def test_padding_is_not_kept(self) -> None:
        events = [{**event, "obfuscation": "x7Tq"} for event in self.events()]

        assert "obfuscation" not in (collect(events).answer() or {"obfuscation": ""})

    def test_an_empty_object_at_the_end_does_not_wipe_what_came(self) -> None:
        *events, last = self.events()
        events[0]["choices"][0]["content_filter_results"] = {"hate": {"filtered": False}}
        last["choices"][0]["content_filter_results"] = {}

        answer = collect([*events, last]).answer()

        assert answer is not None
        assert answer["choices"][0]["content_filter_results"] == {"hate": {"filtered": False}}


def asked(content: Any, *before: dict[str, Any], **params: Any) -> dict[str, Any]:
    return {"messages": [*before, {"role": "user", "content": content}], **params}


class TestQuestion:
    @pytest.mark.parametrize(
        "content",
        ["Why?", [{"type": "text", "text": "Why?"}], [{"type": "input_text", "text": "Why?"}]],
    )
    def test_the_last_users_text(self, content: Any) -> None:
        question = CHAT.question(asked(content, {"role": "system", "content": "Be brief."}))

        assert question is not None
        assert question.text == "Why?"
        assert b"Why?" not in orjson.dumps(question.params_without)
        assert question.params_without["messages"][0]["content"] == "Be brief."

    def test_an_empty_list_of_tools_offers_none(self) -> None:
        assert CHAT.question(asked("Why?", tools=[])) is not None

    @pytest.mark.parametrize(
        "params",
        [
            asked("Why?", tools=[TOOL]),
            asked("Why?", functions=[{"name": "f"}]),
            asked("Why?", web_search_options={}),
            asked("Why?", {"role": "tool", "content": "5", "tool_call_id": "c"}),
            asked("Why?", {"role": "function", "content": "5", "name": "f"}),
            asked("Why?", {"role": "assistant", "tool_calls": [{"id": "c"}]}),
            asked("Why?", {"role": "assistant", "function_call": {"name": "f"}}),
            asked("Why?", n=2),
            asked(""),
            asked(" \n"),
            asked(None),
            asked([]),
            asked([{"type": "text", "text": "Why?"}, {"type": "text", "text": "How?"}]),
            asked([{"type": "text", "text": "Why?"}, {"type": "image_url", "image_url": {}}]),
            asked([{"type": "image_url", "image_url": {"url": "data:"}}]),
            asked([{"type": "text", "text": " "}]),
            asked([{"type": "text", "text": 5}]),
            asked(["Why?"]),
            {"messages": [{"role": "assistant", "content": "Why?"}]},
            {"messages": [{"role": "system", "content": "Why?"}]},
            {"messages": [{"content": "Why?"}]},
        ],
        ids=lambda params: orjson.dumps(params).decode()[13:70],
    )
    def test_all_else_is_exact_only(self, params: dict[str, Any]) -> None:
        assert CHAT.question(params) is None


class TestCheck:
    @pytest.mark.parametrize("messages", [None, [], {}, "Hi", 5])
    def test_messages_must_be_there(self, messages: Any) -> None:
        with pytest.raises(BadRequest, match="'messages'") as caught:
            CHAT.check({"messages": messages})
        assert caught.value.param == "messages"

    def test_each_must_be_an_object(self) -> None:
        with pytest.raises(BadRequest) as caught:
            CHAT.check({"messages": [{}, "Hi"]})
        assert caught.value.param == "messages[1]"

    def test_the_rest_is_the_upstreams_to_judge(self) -> None:
        CHAT.check({"messages": [{"role": "nobody"}], "temperature": "hot"})


class TestVerdict:
    @pytest.mark.parametrize(
        ("reasons", "complete", "truncated", "blocked"),
        [
            (["stop"], True, False, False),
            (["stop", "tool_calls"], True, False, False),
            (["stop", "length"], True, True, False),
            (["content_filter", "stop"], True, False, True),
            (["stop", None], False, False, False),
            ([""], False, False, False),
            ([], False, False, False),
        ],
    )
    def test_by_the_finish_reasons(
        self, reasons: list[Any], *, complete: bool, truncated: bool, blocked: bool
    ) -> None:
        verdict = CHAT.verdict(
            {"choices": [{"message": {}, "finish_reason": reason} for reason in reasons]}
        )

        assert (verdict.complete, verdict.truncated, verdict.blocked) == (
            complete,
            truncated,
            blocked,
        )

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"choices": None},
            {"choices": ["x"]},
            {"choices": [{"finish_reason": "stop"}]},
            {"choices": [{"finish_reason": "stop", "message": "text"}]},
            {"error": {"message": "no"}},
        ],
    )
    def test_what_is_no_answer_is_not_complete(self, answer: dict[str, Any]) -> None:
        assert not CHAT.verdict(answer).complete

    @pytest.mark.parametrize(
        ("usage", "counts"),
        [
            ({"prompt_tokens": 3, "completion_tokens": 5}, (3, 5)),
            ({"prompt_tokens": -3, "completion_tokens": "5"}, (0, 0)),
            ({}, (0, 0)),
            (None, (0, 0)),
            ("many", (0, 0)),
        ],
    )
    def test_usage(self, usage: Any, counts: tuple[int, int]) -> None:
        verdict = CHAT.verdict({"choices": [], "usage": usage})

        assert (verdict.prompt_tokens, verdict.completion_tokens) == counts
