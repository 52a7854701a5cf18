"""The HTTP surface over a scripted model, seen by OpenAI's own client over a Unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest

Scripted = Callable[..., Any]
Serve = Callable[..., AbstractContextManager[Path]]
ASK: Any = [{"role": "user", "content": "hi"}]
CHAT = {"model": "scripted", "messages": ASK}


@contextmanager
def client_of(socket: Path) -> Iterator[openai.OpenAI]:
    transport = httpx2.HTTPTransport(uds=str(socket))
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(
            base_url="http://worker/v1", api_key="none", max_retries=0, http_client=http
        ) as client,
    ):
        yield client


def raw_client(socket: Path) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    return httpx.AsyncClient(transport=transport, base_url="http://worker", timeout=60)


@pytest.fixture
def talk(serve: Serve, scripted: Scripted) -> Callable[[str], Any]:
    @contextmanager
    def talking(text: str) -> Iterator[openai.OpenAI]:
        with serve(scripted(text)) as socket, client_of(socket) as client:
            yield client

    return talking


def test_chat(talk: Callable[[str], Any]) -> None:
    with talk("Grüße") as client:
        answer = client.chat.completions.create(model="scripted", messages=ASK, n=2)
    assert [choice.message.content for choice in answer.choices] == ["Grüße"] * 2
    assert [choice.finish_reason for choice in answer.choices] == ["stop"] * 2
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].message.role == "assistant"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "scripted"
    assert answer.usage.prompt_tokens == len("user:hi\n")
    assert answer.usage.completion_tokens == 2 * (len("Grüße".encode()) + 1)
    assert answer.usage.total_tokens == sum(
        (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    )


def test_chat_streamed(talk: Callable[[str], Any]) -> None:
    with talk("né!") as client:
        chunks = list(
            client.chat.completions.create(
                model="scripted", messages=ASK, stream=True, stream_options={"include_usage": True}
            )
        )
    assert len({chunk.id for chunk in chunks}) == 1
    *body, counts = chunks
    assert body[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in body[1:]] == ["n", "é", "!", None]
    assert [chunk.choices[0].finish_reason for chunk in body] == [None] * 4 + ["stop"]
    assert all(chunk.usage is None for chunk in body)
    assert counts.choices == []
    assert counts.usage.completion_tokens == 5


async def test_the_bytes_of_a_stream(serve: Serve, scripted: Scripted) -> None:
    with serve(scripted("ab")) as socket:
        async with raw_client(socket) as client:
            reply = await client.post("/v1/chat/completions", json=CHAT | {"stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = reply.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") for event in events[:-2])
    assert '"usage"' not in reply.text


def test_completions(talk: Callable[[str], Any]) -> None:
    with talk("a long story, told slowly") as client:
        answer = client.completions.create(model="scripted", prompt=["x", "yz"], stop="st")
        assert [choice.text for choice in answer.choices] == ["a long "] * 2
        assert answer.usage.prompt_tokens == 3
        assert answer.object == "text_completion"
        short = client.completions.create(model="scripted", prompt=[120, 121])
        assert short.choices[0].text == "a long story, to"  # 16 tokens unless asked otherwise
        assert short.choices[0].finish_reason == "length"
        pieces = list(client.completions.create(model="scripted", prompt="x", stream=True))
        assert "".join(piece.choices[0].text for piece in pieces) == "a long story, to"
        assert pieces[-1].choices[0].finish_reason == "length"


def test_logprobs(talk: Callable[[str], Any]) -> None:
    with talk("ok") as client:
        answer = client.chat.completions.create(
            model="scripted", messages=ASK, logprobs=True, top_logprobs=2
        )
        first, second = answer.choices[0].logprobs.content
        assert (first.token, second.token) == ("o", "k")
        assert first.bytes == [ord("o")]
        assert [best.token for best in first.top_logprobs] == ["o", "?"]
        stream = client.chat.completions.create(
            model="scripted", messages=ASK, logprobs=True, stream=True
        )
        scored = [c.choices[0].logprobs for c in stream if c.choices[0].delta.content]
        assert [item.content[0].token for item in scored] == ["o", "k"]


def test_models(talk: Callable[[str], Any]) -> None:
    with talk("") as client:
        assert [model.id for model in client.models.list()] == ["scripted"]
        assert client.models.retrieve("scripted").object == "model"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("another")


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"messages": None}, "messages", None),
        ({"messages": []}, "messages", None),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", None),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", None),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            None,
        ),
        ({"temperature": "hot"}, "temperature", None),
        ({"temperature": 2.5}, "temperature", None),
        ({"top_p": -0.1}, "top_p", None),
        ({"max_tokens": 0}, "max_tokens", None),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens", None),
        ({"n": 9}, "n", None),
        ({"n": True}, "n", None),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", None),
        ({"stop": ""}, "stop[0]", None),
        ({"seed": "x"}, "seed", None),
        ({"stream": "yes"}, "stream", None),
        ({"top_logprobs": 2}, "top_logprobs", None),
        ({"tools": [{}], "tool_choice": "required"}, "tool_choice", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"logit_bias": {"5": 3}}, "logit_bias", "unsupported_parameter"),
        ({"tempature": 1}, "tempature", "unknown_parameter"),
    ],
)
async def test_refusals_name_the_field(
    serve: Serve, scripted: Scripted, change: dict[str, Any], param: str, code: str | None
) -> None:
    with serve(scripted("x")) as socket:
        async with raw_client(socket) as client:
            reply = await client.post("/v1/chat/completions", json=CHAT | change)
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert param in error["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"logprobs": 3}, "logprobs"),
        ({"echo": True}, "echo"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [[1], []]}, "prompt"),
        ({"prompt": ["x"] * 5, "n": 3}, "n"),
        ({"messages": ASK}, "messages"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
async def test_completion_refusals_name_the_field(
    serve: Serve, scripted: Scripted, change: dict[str, Any], param: str
) -> None:
    with serve(scripted("x")) as socket:
        async with raw_client(socket) as client:
            body = {"model": "scripted", "prompt": "x"} | change
            reply = await client.post("/v1/completions", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


async def test_null_and_bookkeeping_fields_are_accepted(serve: Serve, scripted: Scripted) -> None:
    nulls = dict.fromkeys(["temperature", "top_p", "stop", "n", "seed", "stream", "logit_bias"])
    extras = {"user": "u", "metadata": {}, "tools": [{}], "response_format": {"type": "text"}}
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}]}]
    with serve(scripted("x")) as socket:
        async with raw_client(socket) as client:
            reply = await client.post(
                "/v1/chat/completions", json=CHAT | nulls | extras | {"messages": parts}
            )
    assert reply.status_code == 200


async def test_other_errors_have_openais_shape(serve: Serve, scripted: Scripted) -> None:
    with serve(scripted("x")) as socket:
        async with raw_client(socket) as client:
            replies = [
                await client.post("/v1/chat/completions", content=b"{"),
                await client.post("/v1/chat/completions", json=[1]),
                await client.post("/v1/chat/completions", json=CHAT | {"model": "other"}),
                await client.post("/v1/responses", json={}),
                await client.get("/v1/completions"),
                await client.post("/v1/completions", json={"model": "scripted", "prompt": [999]}),
                await client.post("/v1/completions", json={"model": "scripted", "prompt": []}),
                await client.post("/v1/completions", json={"model": "scripted", "prompt": ""}),
            ]
            health = await client.get("/healthz")
    assert [reply.status_code for reply in replies] == [400, 400, 404, 404, 405, 400, 400, 400]
    assert all(reply.json()["error"]["message"] for reply in replies)
    assert replies[2].json()["error"]["code"] == "model_not_found"
    assert [reply.json()["error"]["param"] for reply in replies[5:]] == ["prompt"] * 3
    assert health.json() == {"status": "ok"}


def test_a_prompt_over_the_context(serve: Serve, scripted: Scripted) -> None:
    model = scripted("abcdef")
    model.context_length = 10
    with serve(model) as socket, client_of(socket) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.completions.create(model="scripted", prompt="x" * 10)
        assert refused.value.code == "context_length_exceeded"
        answer = client.completions.create(model="scripted", prompt="x" * 7, max_tokens=99)
        assert answer.choices[0].text == "abc"
        assert answer.choices[0].finish_reason == "length"


async def test_a_full_queue_is_429_and_hanging_up_makes_room(
    serve: Serve, scripted: Scripted
) -> None:
    endless = {"model": "scripted", "prompt": "x", "max_tokens": 10**8}
    short = endless | {"max_tokens": 3}
    with serve(scripted("ab", endless=True), max_active=1, max_waiting=1) as socket:
        async with raw_client(socket) as client:
            silent = asyncio.create_task(client.post("/v1/completions", json=endless))
            async with client.stream(
                "POST", "/v1/completions", json=endless | {"stream": True}
            ) as stream:
                # One of the two runs, the other waits: the queue is full.
                while (full := await client.post("/v1/completions", json=short)).is_success:
                    pass
                assert stream.status_code == 200
                assert full.status_code == 429
                assert int(full.headers["retry-after"]) >= 1
                assert full.json()["error"]["code"] == "rate_limit_exceeded"
            silent.cancel()
            # Neither would ever end by itself, so an answer means that both were stopped.
            while (reply := await client.post("/v1/completions", json=short)).status_code == 429:
                pass
    assert reply.json()["choices"][0]["text"] == "aba"


async def test_a_failure_in_the_middle_is_an_error_event(serve: Serve, scripted: Scripted) -> None:
    model = scripted("ab")
    model.end_tokens = frozenset()  # the script runs out: its iterator raises in the model
    with serve(model) as socket, client_of(socket) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            client.chat.completions.create(model="scripted", messages=ASK)
        assert failed.value.code == "generation_failed"
        stream = client.chat.completions.create(model="scripted", messages=ASK, stream=True)
        with pytest.raises(openai.APIError) as broken:
            list(stream)
        assert broken.value.code == "generation_failed"
