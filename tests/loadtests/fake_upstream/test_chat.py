from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from tests.support.schema import check
from tests.support.sse import DONE, parse

ASK: Any = {"model": "fake-large", "messages": [{"role": "user", "content": "hello"}]}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
}
VARIANTS = [
    "",
    "reasoning",
    "refusal",
    "logprobs",
    "refusal;logprobs",
    "n=3",
    "n=2;logprobs",
    "tools=2",
    "finish=length",
    "finish=content_filter",
    "no-usage",
    "big=5000",
]


def _post(http: httpx.Client, directives: str, **body: Any) -> httpx.Response:
    request = ASK | {"tools": [WEATHER], "x_fake": directives} | body
    answer = http.post("/v1/chat/completions", json=request)
    assert answer.status_code == 200, answer.text
    return answer


def _chunks(http: httpx.Client, directives: str, **body: Any) -> list[dict[str, Any]]:
    *events, last = parse(_post(http, directives, stream=True, **body).content)
    assert last.data == DONE
    return [event.data for event in events]


@pytest.mark.parametrize("directives", VARIANTS)
def test_a_plain_answer_is_of_openais_schema(http: httpx.Client, directives: str) -> None:
    check(ChatCompletion, _post(http, directives).json())


@pytest.mark.parametrize("directives", VARIANTS)
def test_every_chunk_is_of_openais_schema(http: httpx.Client, directives: str) -> None:
    for chunk in _chunks(http, directives, stream_options={"include_usage": True}):
        check(ChatCompletionChunk, chunk)


def test_the_same_request_has_the_same_content_and_another_one_does_not(client: OpenAI) -> None:
    first, again = (client.chat.completions.create(**ASK) for _ in range(2))
    other = client.chat.completions.create(**ASK | {"model": "fake-small"})
    content = first.choices[0].message.content
    assert content == again.choices[0].message.content
    assert content != other.choices[0].message.content
    assert first.id != again.id


def test_varied_answers_differ(client: OpenAI) -> None:
    answers = {
        client.chat.completions.create(**ASK, extra_headers={"x-fake": "vary"})
        .choices[0]
        .message.content
        for _ in range(3)
    }
    assert len(answers) == 3


@pytest.mark.parametrize(
    "directives", ["", "chunk-bytes=1", "crlf", "comments", "gzip", "gzip;crlf"]
)
async def test_a_stream_says_the_same_as_a_plain_answer(
    async_client: AsyncOpenAI, directives: str
) -> None:
    headers = {"x-fake": directives}
    plain = await async_client.chat.completions.create(**ASK, extra_headers=headers)
    chunks = [
        chunk
        async for chunk in await async_client.chat.completions.create(
            **ASK, stream=True, extra_headers=headers
        )
    ]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == plain.choices[0].message.content
    assert len(chunks) == 8 + 2  # tokens, and the chunks with the role and the finish reason
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_usage_is_streamed_only_when_asked_for(http: httpx.Client) -> None:
    assert all("usage" not in chunk for chunk in _chunks(http, ""))
    *others, last = _chunks(http, "", stream_options={"include_usage": True})
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in others)
    assert last["choices"] == []
    assert last["usage"] == _post(http, "").json()["usage"]


def test_parallel_tool_calls_are_streamed_in_fragments(client: OpenAI) -> None:
    plain = client.chat.completions.create(
        **ASK, tools=[WEATHER], extra_headers={"x-fake": "tools=2"}
    )
    calls = plain.choices[0].message.tool_calls
    assert calls is not None
    assert [call.type for call in calls] == ["function", "function"]
    assert plain.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(
        **ASK, tools=[WEATHER], extra_headers={"x-fake": "tools=2"}
    ) as stream:
        fragments = [
            event for event in stream if event.type == "tool_calls.function.arguments.delta"
        ]
        final = stream.get_final_completion()
    assert len(fragments) > 4
    streamed = final.choices[0].message.tool_calls
    assert streamed is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in streamed] == [
        (call.id, call.function.name, call.function.arguments)
        for call in calls
        if call.type == "function"
    ]
    assert set(json.loads(streamed[0].function.arguments)) == {"city", "days"}


def test_a_required_tool_is_called(client: OpenAI) -> None:
    answer = client.chat.completions.create(**ASK, tools=[WEATHER], tool_choice="required")
    assert answer.choices[0].finish_reason == "tool_calls"


class _Step(BaseModel):
    explanation: str
    weight: float


class _Plan(BaseModel):
    steps: list[_Step]
    done: bool


def test_structured_output_is_parsed_by_the_client(client: OpenAI) -> None:
    plan = client.chat.completions.parse(**ASK, response_format=_Plan).choices[0].message.parsed
    assert plan is not None
    assert plan.done
    assert plan.steps[0].weight == 7.5


def test_choices_take_turns(http: httpx.Client) -> None:
    order = [chunk["choices"][0]["index"] for chunk in _chunks(http, "", n=3)]
    assert order == [0, 1, 2] * (8 + 2)


def test_a_low_token_limit_truncates(client: OpenAI) -> None:
    answer = client.chat.completions.create(**ASK, max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
