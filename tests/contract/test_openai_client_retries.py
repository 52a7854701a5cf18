"""Retries on both sides: together never more upstream calls than either side alone would make."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.contract.conftest import Question
from tests.support.chat import WAYS, plain
from tests.support.fakes import RunningFake

OURS = 2  # the default of `retries`


def _fails(client: OpenAI, way: str, ask: dict[str, Any]) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        WAYS[way](client, **ask)
    return caught.value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("theirs", [0, 1, 2, 4])
@pytest.mark.parametrize("status", [429, 503])
def test_an_upstream_that_goes_on_failing_is_called_as_often_as_by_one_side_alone(
    client: OpenAI, fake: RunningFake, question: Question, way: str, theirs: int, status: int
) -> None:
    patient = client.with_options(max_retries=theirs)
    error = _fails(patient, way, question.chat(f"status={status}"))
    assert error.status_code == status
    assert error.response.headers["x-should-retry"] == "false"
    assert fake.asked(question.text) == 1 + OURS


@pytest.mark.parametrize("directives", ["die", "status=500;retry-after=0.01"])
def test_what_two_retries_mend_the_client_does_not_see(
    client: OpenAI, fake: RunningFake, question: Question, directives: str
) -> None:
    reply = plain(client, **question.chat(directives + ";times=2"))
    assert reply.layer == "upstream"
    assert fake.asked(question.text) == 3
    assert plain(client, **question.chat(directives + ";times=2")).layer == "exact"


def test_the_clients_own_retries_are_one_call_each(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("status=503", extra_headers={"x-stainless-retry-count": "1"})
    error = _fails(client, "plain", ask)
    # It may have more to spend than it has: nothing is said against it.
    assert "x-should-retry" not in error.response.headers
    assert fake.asked(question.text) == 1


def test_a_long_retry_after_is_the_clients_to_wait_for(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    error = _fails(client, "plain", question.chat("status=429;retry-after=60"))
    assert error.response.headers["retry-after"] == "60"
    assert "x-should-retry" not in error.response.headers
    assert fake.asked(question.text) == 1


def test_a_short_one_is_waited_for_here(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    started = time.monotonic()
    plain(client, **question.chat("status=429;times=1;retry-after=0.5"))
    assert time.monotonic() - started >= 0.5
    assert fake.asked(question.text) == 2


def test_one_idempotency_key_over_all_calls(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    headers = {"idempotency-key": "one"}
    plain(client, **question.chat("status=503;times=2", extra_headers=headers))
    calls = [seen for seen in tuple(fake.record.requests) if question.text in str(seen.body)]
    assert [seen.headers["idempotency-key"] for seen in calls] == ["one"] * 3
    assert {seen.headers["x-stainless-retry-count"] for seen in calls} == {"0"}
