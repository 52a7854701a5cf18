"""Connections that break, on either side: nothing truncated is ever stored."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk

from tests.contract.conftest import Question
from tests.support.chat import WAYS, plain, streamed
from tests.support.fakes import RunningFake
from tests.support.servers import wait_until

ONLY_IF_CACHED: Any = {"extra_headers": {"cache-control": "only-if-cached"}}


def _stored(client: OpenAI, ask: dict[str, Any]) -> bool:
    try:
        plain(client, **ask, **ONLY_IF_CACHED)
    except openai.APIStatusError as error:
        if error.status_code != 504:
            raise
        return False
    return True


@pytest.mark.parametrize("way", WAYS)
def test_an_upstream_that_dies_before_it_answers(
    client: OpenAI, fake: RunningFake, question: Question, way: str
) -> None:
    ask = question.chat("die")
    for count in (1, 2):
        with pytest.raises(openai.InternalServerError) as caught:
            WAYS[way](client, **ask)
        assert caught.value.status_code == 502
        assert isinstance(caught.value.body, dict)
        assert set(caught.value.body) == {"message", "type", "param", "code"}
        assert fake.asked(question.text) >= count
    assert not _stored(client, ask)


def test_an_upstream_that_dies_in_the_middle_of_a_plain_answer(
    client: OpenAI, question: Question
) -> None:
    ask = question.chat("die=mid")
    with pytest.raises(openai.InternalServerError) as caught:
        plain(client, **ask)
    assert caught.value.status_code == 502
    assert not _stored(client, ask)


@pytest.mark.parametrize("directives", ["die=mid", "error-event", "malformed-sse"])
def test_an_upstream_that_fails_in_the_middle_of_a_stream(
    client: OpenAI, question: Question, directives: str
) -> None:
    ask = question.chat(directives)
    received = []
    # A broken connection, an error event, or (for what is no JSON) the client's own parser.
    with pytest.raises((openai.APIError, ValueError)):
        received.extend(client.chat.completions.create(**ask, stream=True))
    assert not _stored(client, ask)


def test_what_came_before_the_failure_reaches_the_client(
    client: OpenAI, question: Question
) -> None:
    stream = client.chat.completions.create(**question.chat("die=mid;tpot-ms=5"), stream=True)
    received: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError):
        received.extend(stream)  # what came before the failure is kept
    text = "".join(chunk.choices[0].delta.content or "" for chunk in received)
    assert text.startswith("Answer ")


def test_recovery_after_a_failure(client: OpenAI, question: Question) -> None:
    ask = question.chat("die=mid;times=1")
    with pytest.raises(openai.APIError):
        streamed(client, **ask)
    good = streamed(client, **ask)
    assert (good.layer, good.choices[0]["finish"]) == ("upstream", "stop")
    assert plain(client, **ask).choices == good.choices


@pytest.mark.parametrize("way", WAYS)
def test_a_truncated_answer_is_never_stored(
    client: OpenAI, fake: RunningFake, question: Question, way: str
) -> None:
    ask = question.chat(max_completion_tokens=3)
    for count in (1, 2):
        assert WAYS[way](client, **ask).choices[0]["finish"] == "length"
        assert fake.asked(question.text) == count


def test_a_client_that_hangs_up_leaves_a_whole_answer_behind(
    client: OpenAI, direct: OpenAI, fake: RunningFake, question: Question
) -> None:
    expected = plain(direct, **question.chat("tokens=30"))
    ask = question.chat("tokens=30;tpot-ms=15")
    before = fake.asked(question.text)
    stream = client.chat.completions.create(**ask, stream=True)
    next(iter(stream))
    stream.close()
    wait_until(lambda: _stored(client, ask), what="stored answer")
    for way in WAYS.values():
        reply = way(client, **ask)
        assert reply.layer == "exact"
        assert reply.choices == expected.choices
    assert fake.asked(question.text) == before + 1


def test_a_client_that_hangs_up_before_a_plain_answer(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("delay=0.5")
    with pytest.raises(openai.APITimeoutError):
        plain(client, **ask, timeout=0.2)
    wait_until(lambda: _stored(client, ask), what="stored answer")
    assert plain(client, **ask).content.startswith("Answer ")
    assert fake.asked(question.text) == 1


def test_a_client_that_hangs_up_does_not_rescue_a_broken_answer(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("tokens=20;tpot-ms=10;die=mid")
    stream = client.chat.completions.create(**ask, stream=True)
    next(iter(stream))
    stream.close()
    wait_until(lambda: fake.record.open_streams == 0, what="end of the upstream's stream")
    assert not _stored(client, ask)
