"""Legacy completions, embeddings and models."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import Completion, CreateEmbeddingResponse

from tests.contract.conftest import Question, as_json
from tests.support.fakes import RunningFake
from tests.support.schema import check

VARIANTS: list[dict[str, Any]] = [{}, {"n": 2}, {"logprobs": 2}]


def _texts(client: OpenAI, *, stream: bool, **ask: Any) -> dict[int, str]:
    texts: dict[int, str] = {}
    parts: list[Completion] = (
        list(client.completions.create(**ask, stream=True))
        if stream
        else [client.completions.create(**ask)]
    )
    for part in parts:
        for choice in part.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
    return texts


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("second", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("first", [False, True], ids=["plain", "streamed"])
def test_completions(
    client: OpenAI,
    direct: OpenAI,
    fake: RunningFake,
    question: Question,
    *,
    first: bool,
    second: bool,
    variant: dict[str, Any],
) -> None:
    ask = question.completion(**variant)
    expected = _texts(direct, stream=False, **ask)
    before = fake.asked(question.text)
    assert _texts(client, stream=first, **ask) == expected
    assert _texts(client, stream=second, **ask) == expected
    assert fake.asked(question.text) == before + 1


def test_a_completion_hit_is_of_openais_schema(http: httpx.Client, question: Question) -> None:
    for layer in ("upstream", "exact"):
        answer = http.post("/v1/completions", json=as_json(question.completion(logprobs=1)))
        assert answer.headers["x-cachemw-layer"] == layer
        check(Completion, answer.json())


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(
    client: OpenAI, direct: OpenAI, fake: RunningFake, question: Question, encoding: str | None
) -> None:
    ask = question.embedding(**({"encoding_format": encoding} if encoding else {}))
    expected = direct.embeddings.create(**ask)
    before = fake.asked(question.text)
    for _ in range(2):
        actual = client.embeddings.create(**ask)
        assert [item.embedding for item in actual.data] == [i.embedding for i in expected.data]
        assert actual.usage == expected.usage
    assert fake.asked(question.text) == before + 1


def test_an_embedding_hit_is_of_openais_schema(http: httpx.Client, question: Question) -> None:
    body = as_json(question.embedding(encoding_format="float"))
    for layer in ("upstream", "exact"):
        answer = http.post("/v1/embeddings", json=body)
        assert answer.headers["x-cachemw-layer"] == layer
        check(CreateEmbeddingResponse, answer.json())


def test_the_two_encodings_are_never_mixed_up(client: OpenAI, question: Question) -> None:
    packed = client.embeddings.create(**question.embedding(encoding_format="base64"))
    floats = client.embeddings.create(**question.embedding(encoding_format="float"))
    assert isinstance(packed.data[0].embedding, str)
    assert isinstance(floats.data[0].embedding, list)


def test_a_batch_keeps_its_order(client: OpenAI, direct: OpenAI, question: Question) -> None:
    inputs = [question.text, "two", question.text + "!"]
    for ordered in (inputs, inputs[::-1]):
        ask: dict[str, Any] = {"model": "fake-embedding", "input": ordered}
        expected, actual = direct.embeddings.create(**ask), client.embeddings.create(**ask)
        assert [item.embedding for item in actual.data] == [i.embedding for i in expected.data]
        assert [item.index for item in actual.data] == [0, 1, 2]


async def test_models(async_client: AsyncOpenAI, direct: OpenAI) -> None:
    names = {model.id async for model in async_client.models.list()}
    assert names >= {model.id for model in direct.models.list()}
    assert (await async_client.models.retrieve("fake-small")).id == "fake-small"
