"""Chat completions: a miss is the upstream's answer, a hit is the same answer, in either way."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from tests.contract.conftest import Question, as_json
from tests.support.chat import WAYS, plain, streamed
from tests.support.fakes import RunningFake
from tests.support.schema import check
from tests.support.sse import DONE, parse

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Look up the {name}.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            },
        },
    }
    for name in ("weather", "population")
]
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}
# What an answer can consist of: directives to the fake upstream, and parameters of the request.
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("", {}),
    "unicode": ('echo=Grüße, 世界 🌍\u2028\u0000 \\n"quoted"', {}),
    "long": ("big=200000", {}),
    "one tool call": ("tools=1", {"tools": TOOLS}),
    "parallel tool calls": ("tools=3", {"tools": TOOLS}),
    "required tool": ("", {"tools": TOOLS, "tool_choice": "required"}),
    "structured": ("", {"response_format": SCHEMA}),
    "refusal": ("refusal", {}),
    "reasoning": ("reasoning", {}),
    "reasoning and tools": ("reasoning;tools=2", {"tools": TOOLS}),
    "logprobs": ("", {"logprobs": True, "top_logprobs": 3}),
    "logprobs of a refusal": ("refusal", {"logprobs": True}),
    "three choices": ("", {"n": 3}),
    "three choices with everything": ("reasoning", {"n": 3, "logprobs": True}),
}
USAGE: Any = {"stream_options": {"include_usage": True}}


@pytest.fixture(params=SHAPES)
def shaped(request: pytest.FixtureRequest, question: Question) -> dict[str, Any]:
    directives, parameters = SHAPES[request.param]
    return question.chat(directives, **parameters)


@pytest.mark.parametrize("way", WAYS)
def test_a_miss_is_the_upstreams_answer(
    client: OpenAI, direct: OpenAI, shaped: dict[str, Any], way: str
) -> None:
    more = USAGE if way == "streamed" else {}
    expected = WAYS[way](direct, **shaped, **more)
    actual = WAYS[way](client, **shaped, **more)
    assert actual.layer == "upstream"
    assert actual.choices == expected.choices
    assert actual.usage == expected.usage
    assert actual.model == expected.model


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_the_same_request_again_is_an_exact_hit(
    client: OpenAI,
    fake: RunningFake,
    question: Question,
    shaped: dict[str, Any],
    first: str,
    second: str,
) -> None:
    original = WAYS[first](client, **shaped)
    replayed = WAYS[second](client, **shaped)
    assert (original.layer, replayed.layer) == ("upstream", "exact")
    assert fake.asked(question.text) == 1
    assert replayed.choices == original.choices
    assert replayed.model == original.model
    assert replayed.id != original.id
    assert abs(replayed.created - time.time()) < 5


@pytest.mark.parametrize("first", WAYS)
def test_usage_is_the_originals_however_it_was_asked_for(
    client: OpenAI, direct: OpenAI, question: Question, first: str
) -> None:
    # A stream that did not ask for usage must still leave an answer with usage behind.
    expected = plain(direct, **question.chat()).usage
    WAYS[first](client, **question.chat())
    assert plain(client, **question.chat()).usage == expected
    with_usage = streamed(client, **question.chat(), **USAGE)
    assert (with_usage.layer, with_usage.usage) == ("exact", expected)


@pytest.mark.parametrize("again", [False, True], ids=["miss", "hit"])
def test_a_stream_has_a_usage_chunk_only_when_asked(
    client: OpenAI, question: Question, *, again: bool
) -> None:
    if again:
        plain(client, **question.chat())
    silent = list(client.chat.completions.create(**question.chat(), stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in silent)
    *chunks, last = client.chat.completions.create(**question.chat(), stream=True, **USAGE)
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None


def test_a_hit_is_of_openais_schema(http: httpx.Client, shaped: dict[str, Any]) -> None:
    body = as_json(shaped)
    for layer in ("upstream", "exact"):
        answer = http.post("/v1/chat/completions", json=body)
        assert answer.headers["x-cachemw-layer"] == layer
        assert answer.headers["content-type"].startswith("application/json")
        check(ChatCompletion, answer.json())


def test_a_replayed_stream_is_well_formed(http: httpx.Client, shaped: dict[str, Any]) -> None:
    body = as_json(shaped) | {"stream": True}
    for layer in ("upstream", "exact"):
        answer = http.post("/v1/chat/completions", json=body)
        assert answer.headers["x-cachemw-layer"] == layer
        assert answer.headers["content-type"].startswith("text/event-stream")
        *events, last = parse(answer.content)
        assert last.data == DONE
        assert len(events) >= 3
        for event in events:
            check(ChatCompletionChunk, event.data)
        assert events[0].data["choices"][0]["delta"]["role"] == "assistant"
        assert events[-1].data["choices"][0]["finish_reason"] is not None


def test_a_text_is_replayed_in_several_chunks(client: OpenAI, question: Question) -> None:
    plain(client, **question.chat("tokens=60"))
    replayed = list(client.chat.completions.create(**question.chat("tokens=60"), stream=True))
    texts = [chunk.choices[0].delta.content for chunk in replayed if chunk.choices[0].delta.content]
    assert len(texts) > 4
    assert max(map(len, texts)) < len("".join(texts)) / 2


def test_tool_calls_reach_the_clients_stream_helper(client: OpenAI, question: Question) -> None:
    ask = question.chat("tools=2", tools=TOOLS)
    expected = plain(client, **ask).choices[0]["tools"]
    with client.chat.completions.stream(**ask) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion().choices[0].message.tool_calls
    assert "tool_calls.function.arguments.done" in kinds
    assert final is not None
    assert [call.function.arguments for call in final] == [call[-1] for call in expected]


class _City(BaseModel):
    name: str
    population: int


def test_structured_output_is_parsed_alike_on_a_miss_and_a_hit(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat(response_format=_City)
    miss, hit = (client.chat.completions.parse(**ask).choices[0].message.parsed for _ in range(2))
    assert isinstance(miss, _City)
    assert hit == miss
    assert fake.asked(question.text) == 1


async def test_the_async_client(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    miss = await async_client.chat.completions.create(**question.chat())
    hit = await async_client.chat.completions.create(**question.chat())
    chunks = [
        chunk
        async for chunk in await async_client.chat.completions.create(
            **question.chat(), stream=True
        )
    ]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert miss.choices == hit.choices
    assert text == miss.choices[0].message.content
    assert fake.asked(question.text) == 1


@pytest.mark.parametrize("wire", ["chunk-bytes=1", "chunk-bytes=7", "crlf", "comments", "gzip"])
def test_an_upstream_may_write_its_stream_in_any_legal_way(
    client: OpenAI, direct: OpenAI, question: Question, wire: str
) -> None:
    expected = plain(direct, **question.chat())
    for layer in ("upstream", "exact"):
        reply = streamed(client, **question.chat(wire))
        assert reply.layer == layer
        assert reply.choices == expected.choices


def test_requests_that_differ_do_not_share_an_answer(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"temperature": 0},
        {"temperature": 1},
        {"seed": 1},
        {"max_completion_tokens": 500},
        {"tools": TOOLS},
        {"model": "fake-small"},
        {"n": 2},
        {"extra_body": {"vendor_knob": 1}},
        {"extra_body": {"vendor_knob": 2}},
    ]
    for variant in variants:
        assert plain(client, **question.chat(**variant)).layer == "upstream", variant
    assert fake.asked(question.text) == len(variants)


def test_what_cannot_change_the_answer_does_not_change_the_key(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    plain(client, **question.chat())
    for more in ({"user": "bob"}, {"metadata": {"run": "7"}}):
        assert plain(client, **question.chat(**more)).layer == "exact", more
    assert fake.asked(question.text) == 1
