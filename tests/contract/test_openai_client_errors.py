"""Upstream errors are passed on as they are and never cached; the client's own retries work."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.contract.conftest import Question
from tests.support.chat import WAYS, plain
from tests.support.fakes import RunningFake

ERRORS: list[tuple[int, type[openai.APIStatusError]]] = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


def _caught(client: OpenAI, way: str, ask: dict[str, Any]) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        WAYS[way](client, **ask)
    return caught.value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_an_error_is_passed_on_and_not_cached(
    client: OpenAI,
    direct: OpenAI,
    fake: RunningFake,
    question: Question,
    way: str,
    status: int,
    kind: type[openai.APIStatusError],
) -> None:
    ask = question.chat(f"status={status};retry-after=17")
    expected = _caught(direct, way, ask)
    before = fake.asked(question.text)
    for count in (1, 2):
        actual = _caught(client, way, ask)
        assert isinstance(actual, kind)
        assert actual.status_code == status
        assert actual.body == expected.body
        assert actual.code == expected.code
        assert actual.request_id is not None
        for name in ("retry-after", "x-ratelimit-limit-requests", "content-type"):
            assert actual.response.headers[name] == expected.response.headers[name]
        # Each is a call of its own: nothing was stored.
        assert fake.asked(question.text) >= before + count


def test_an_upstreams_refusal_of_the_key(client: OpenAI, question: Question) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        plain(client.with_options(api_key="invalid"), **question.chat())
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_clients_retries(
    client: OpenAI, fake: RunningFake, question: Question, status: int
) -> None:
    patient = client.with_options(max_retries=2)
    ask = question.chat(f"status={status};times=2;retry-after=0.01")
    reply = plain(patient, **ask)
    assert reply.layer == "upstream"
    assert fake.asked(question.text) == 3
    assert plain(patient, **ask).layer == "exact"


async def test_the_async_clients_retries(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    patient = async_client.with_options(max_retries=2)
    ask = question.chat("status=429;times=1;retry-after=0.01")
    await patient.chat.completions.create(**ask)
    assert fake.asked(question.text) == 2


def test_an_error_does_not_evict_a_good_answer(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    good = plain(client, **question.chat())
    with pytest.raises(openai.InternalServerError):
        plain(client, **question.chat("status=500"), extra_headers={"cache-control": "no-cache"})
    assert plain(client, **question.chat()).choices == good.choices
    assert fake.asked(question.text) == 1 + 3  # the good one, and all tries of the bad one


@pytest.mark.parametrize("api", ["completion", "embedding", "response"])
def test_other_apis_pass_errors_on(client: OpenAI, question: Question, api: str) -> None:
    create: Any = {
        "completion": client.completions.create,
        "embedding": client.embeddings.create,
        "response": client.responses.create,
    }[api]
    ask = getattr(question, api)(extra_body={"x_fake": "status=429;retry-after=3"})
    with pytest.raises(openai.RateLimitError) as caught:
        create(**ask)
    assert caught.value.response.headers["retry-after"] == "3"
