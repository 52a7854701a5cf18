from __future__ import annotations

import time
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.support.fakes import RunningFake
from tests.support.servers import wait_until

ASK: Any = {"model": "fake-large", "messages": [{"role": "user", "content": "hello"}]}


def _fake(directives: str) -> dict[str, str]:
    return {"x-fake": directives}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_an_error_status_is_the_clients_exception(
    client: OpenAI, status: int, kind: type[openai.APIStatusError]
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(**ASK, extra_headers=_fake(f"status={status};retry-after=7"))
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert caught.value.request_id is not None
    assert caught.value.response.headers["retry-after"] == "7"


def test_the_client_retries_until_it_works(fake: RunningFake, client: OpenAI) -> None:
    before = fake.calls()
    patient = client.with_options(max_retries=2)
    patient.chat.completions.create(
        **ASK, extra_headers=_fake("status=503;times=2;retry-after=0.01")
    )
    assert fake.calls() == before + 3


@pytest.mark.parametrize(
    "body",
    [
        b"{not json",
        b"[]",
        b'{"model": "m"}',
        b'{"model": "m", "messages": "text"}',
        b'{"messages": [1]}',
        b'{"model": "m", "messages": [1], "x_fake": "no-such-thing"}',
    ],
)
def test_a_bad_body_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_an_invalid_key_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="invalid").models.list()


@pytest.mark.parametrize("directives", ["die", "die=mid"])
def test_a_dropped_connection(client: OpenAI, directives: str) -> None:
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**ASK, extra_headers=_fake(directives))


def test_a_stream_dropped_in_the_middle(client: OpenAI) -> None:
    stream = client.chat.completions.create(**ASK, stream=True, extra_headers=_fake("die=mid"))
    received = []
    with pytest.raises(openai.APIConnectionError):
        received.extend(stream)  # what came before the end is kept
    assert len(received) == 5


@pytest.mark.parametrize("directives", ["hang", "hang=mid"])
def test_a_hanging_server(directives: str, client: OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**ASK, extra_headers=_fake(directives), timeout=0.2)


def test_an_error_event_in_the_stream(client: OpenAI) -> None:
    stream = client.chat.completions.create(**ASK, stream=True, extra_headers=_fake("error-event"))
    with pytest.raises(openai.APIError, match="failed on request"):
        list(stream)


def test_an_error_event_in_a_response(client: OpenAI) -> None:
    stream = client.responses.create(
        model="m", input="hello", stream=True, extra_headers=_fake("error-event")
    )
    assert [event.type for event in stream][-1] == "error"


def test_an_event_that_is_no_json(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        **ASK, stream=True, extra_headers=_fake("malformed-sse")
    )
    with pytest.raises(ValueError, match="Unterminated string"):
        list(stream)


def test_a_stream_without_its_end(client: OpenAI) -> None:
    stream = client.chat.completions.create(**ASK, stream=True, extra_headers=_fake("no-done"))
    assert len(list(stream)) == 10


def test_a_client_that_leaves_is_noticed(fake: RunningFake, client: OpenAI) -> None:
    before = fake.record.disconnects, fake.record.finished_streams
    stream = client.chat.completions.create(
        **ASK, stream=True, extra_headers=_fake("tpot-ms=20;tokens=500")
    )
    next(iter(stream))
    assert fake.record.open_streams == 1
    stream.close()
    wait_until(lambda: fake.record.open_streams == 0, what="end of the stream")
    wait_until(lambda: fake.record.disconnects > before[0], what="disconnect")
    assert fake.record.finished_streams == before[1]


def test_latency(client: OpenAI) -> None:
    started = time.monotonic()
    client.chat.completions.create(**ASK, extra_headers=_fake("ttft-ms=100;tpot-ms=10;tokens=11"))
    assert 0.2 <= time.monotonic() - started < 0.5
