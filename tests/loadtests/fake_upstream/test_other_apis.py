from __future__ import annotations

import hashlib
import time
from typing import Any

import httpx
import pytest
from openai import NotFoundError, OpenAI
from openai.types import Completion, CreateEmbeddingResponse, FileObject, Model

from loadtests.fake_upstream.passthrough import blob
from tests.support.fakes import RunningFake
from tests.support.schema import check
from tests.support.sse import DONE, parse

PROMPT: Any = {"model": "fake-large", "prompt": "once upon"}
EMBED: Any = {"model": "fake-embedding", "input": ["one", "two"]}


@pytest.mark.parametrize("body", [{}, {"n": 2}, {"logprobs": 2}, {"prompt": ["one", "two"]}])
def test_completions_are_of_openais_schema(http: httpx.Client, body: dict[str, Any]) -> None:
    plain = http.post("/v1/completions", json=PROMPT | body).json()
    check(Completion, plain)
    raw = http.post("/v1/completions", json=PROMPT | body | {"stream": True}).content
    *events, last = parse(raw)
    assert last.data == DONE
    choices = [event.data["choices"][0] for event in events]
    for choice in plain["choices"]:
        text = "".join(part["text"] for part in choices if part["index"] == choice["index"])
        assert text == choice["text"]


def test_the_client_streams_completions_with_usage(client: OpenAI) -> None:
    chunks = list(
        client.completions.create(**PROMPT, stream=True, stream_options={"include_usage": True})
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


def test_embeddings_are_of_openais_schema(http: httpx.Client) -> None:
    answer = http.post("/v1/embeddings", json=EMBED | {"dimensions": 5}).json()
    check(CreateEmbeddingResponse, answer)
    assert [len(item["embedding"]) for item in answer["data"]] == [5, 5]


def test_base64_and_floats_hold_the_same_vector(client: OpenAI) -> None:
    # The client asks for base64 when told nothing, and decodes it.
    packed = client.embeddings.create(**EMBED)
    floats = client.embeddings.create(**EMBED, encoding_format="float")
    for one, other in zip(packed.data, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert sum(value * value for value in one.embedding) == pytest.approx(1.0, abs=1e-5)


def test_models(client: OpenAI, http: httpx.Client) -> None:
    assert [model.id for model in client.models.list()] == [
        "fake-large",
        "fake-small",
        "fake-embedding",
    ]
    check(Model, http.get("/v1/models/fake-small").json())
    with pytest.raises(NotFoundError):
        client.models.retrieve("nothing")


def test_upload_and_download(client: OpenAI, http: httpx.Client) -> None:
    content = blob(200_000)
    uploaded = client.files.create(file=("data.bin", content), purpose="assistants")
    check(FileObject, uploaded.model_dump(), extras={"sha256"})
    assert uploaded.bytes == len(content)
    extra = uploaded.model_extra or {}
    assert extra["sha256"] == hashlib.sha256(content).hexdigest()
    assert client.files.content(uploaded.id).read() == content


def test_anything_else_is_echoed(http: httpx.Client) -> None:
    echo = http.put("/v1/unheard/of?a=1", content=b"\x00body", headers={"x-mine": "yes"}).json()
    assert (echo["method"], echo["path"], echo["query"]) == ("PUT", "/v1/unheard/of", "a=1")
    assert echo["headers"]["x-mine"] == "yes"
    assert echo["bytes"] == 5


def test_a_slow_stream_arrives_line_by_line(http: httpx.Client) -> None:
    started = time.monotonic()
    with http.stream("GET", "/v1/drip?count=3&delay=0.1") as answer:
        lines = [(line, time.monotonic() - started) for line in answer.iter_lines()]
    assert [line for line, _ in lines] == ["line 0", "line 1", "line 2"]
    assert lines[0][1] < 0.1 < lines[2][1]


def test_requests_are_recorded(fake: RunningFake, client: OpenAI) -> None:
    before = fake.calls("embeddings")
    client.embeddings.create(**EMBED, extra_headers={"x-mine": "yes"})
    seen = fake.record.requests[-1]
    assert seen.headers["authorization"] == "Bearer sk-test"
    assert seen.headers["x-mine"] == "yes"
    assert seen.body["input"] == ["one", "two"]
    assert fake.calls("embeddings") == before + 1
