"""Requests that are malformed, huge or unheard of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.contract.conftest import MAX_BODY_BYTES, Question
from tests.support.chat import plain
from tests.support.fakes import RunningFake

USER = b'{"role": "user", "content": "hello"}'
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{not json",
    "cut off": b'{"model": "fake-large", "messages": [',
    "no object": b"[1, 2]",
    "null": b"null",
    "bad UTF-8": b'{"model": "m", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "lone surrogate": b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "no model": b'{"messages": [%b]}' % USER,
    "model is a number": b'{"model": 7, "messages": [%b]}' % USER,
    "no messages": b'{"model": "m"}',
    "messages is a text": b'{"model": "m", "messages": "hello"}',
    "messages is empty": b'{"model": "m", "messages": []}',
    "deeply nested": b'{"model": "m", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
JSON = {"content-type": "application/json"}


def _is_openais_error(answer: httpx.Response) -> bool:
    return set(answer.json()["error"]) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_is_the_clients_error_every_time(http: httpx.Client, name: str) -> None:
    for _ in range(2):
        answer = http.post("/v1/chat/completions", content=BODIES[name], headers=JSON)
        assert answer.status_code == 400, answer.text
        assert _is_openais_error(answer)
        assert "hit" not in answer.headers.get("cache-status", "")


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
)
def test_every_api_refuses_what_is_not_json(http: httpx.Client, path: str) -> None:
    answer = http.post(path, content=b"{", headers=JSON)
    assert answer.status_code == 400
    assert _is_openais_error(answer)


@pytest.mark.parametrize("content", [7, {"a": 1}, [7], [{"type": "unheard"}], None, True])
def test_odd_contents_are_left_to_the_upstream(http: httpx.Client, content: Any) -> None:
    messages = [{"role": "user", "content": content}]
    body = {"model": "fake-large", "messages": messages}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text


def test_a_huge_body(client: OpenAI, fake: RunningFake, question: Question) -> None:
    huge = Question(question.text + "x" * (MAX_BODY_BYTES + 1))
    with pytest.raises(openai.APIStatusError) as caught:
        plain(client, **huge.chat())
    assert caught.value.status_code == 413
    assert caught.value.code == "request_too_large"
    assert fake.asked(question.text) == 0


def test_a_huge_body_that_does_not_tell_its_length(http: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(2 + MAX_BODY_BYTES // 65536):
            yield b" " * 65536

    try:
        answer = http.post("/v1/chat/completions", content=endless(), headers=JSON)
    except (httpx.WriteError, httpx.RemoteProtocolError):
        return  # refused while it was still being sent: as good
    assert answer.status_code == 413


def test_a_body_just_below_the_limit(client: OpenAI, question: Question) -> None:
    large = Question(question.text + "x" * (MAX_BODY_BYTES - 1000))
    assert plain(client, **large.chat()).layer == "upstream"
    assert plain(client, **large.chat()).layer == "exact"


def test_unknown_fields_are_passed_on_as_they_are(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    knobs = {"vendor_knob": {"depth": [1, {"x": None}]}, "top_k": 5}
    plain(client, **question.chat(extra_body=knobs))
    (seen,) = [s for s in tuple(fake.record.requests) if question.text in str(s.body)]
    assert {name: seen.body[name] for name in knobs} == knobs


def test_the_order_of_keys_and_the_spacing_do_not_matter(
    http: httpx.Client, fake: RunningFake, question: Question
) -> None:
    text = question.text
    spellings = [
        f'{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}',
        f'{{ "messages": [\n{{"content": "{text}", "role": "user"}}], "model": "m" }}',
    ]
    layers = [
        http.post("/v1/chat/completions", content=spelling, headers=JSON).headers["x-cachemw-layer"]
        for spelling in spellings
    ]
    assert layers == ["upstream", "exact"]
    assert fake.asked(text) == 1


def test_a_wrong_method_is_not_an_accident(http: httpx.Client) -> None:
    answer = http.get("/v1/chat/completions")
    assert answer.status_code < 500
