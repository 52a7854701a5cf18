"""The responses API: plain and streamed, one stored answer for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from tests.contract.conftest import Question, as_json
from tests.support.fakes import RunningFake
from tests.support.schema import KNOWN_EXTRAS, check
from tests.support.sse import parse

LOOKUP: Any = {
    "type": "function",
    "name": "lookup",
    "strict": True,
    "parameters": {"type": "object", "properties": {"key": {"type": "string"}}},
}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("", {}),
    "reasoning": ("reasoning", {}),
    "refusal": ("refusal", {}),
    "parallel function calls": ("tools=2", {"tools": [LOOKUP]}),
    "reasoning and a call": ("reasoning;tools=1", {"tools": [LOOKUP]}),
}


def _plain(client: OpenAI, ask: dict[str, Any]) -> Response:
    response: Response = client.responses.create(**ask)
    return response


def _streamed(client: OpenAI, ask: dict[str, Any]) -> Response:
    with client.responses.create(**ask, stream=True) as stream:
        last: ResponseStreamEvent = list(stream)[-1]
    assert last.type == "response.completed"
    return last.response


WAYS: dict[str, Callable[[OpenAI, dict[str, Any]], Response]] = {
    "plain": _plain,
    "streamed": _streamed,
}


def _said(response: Response) -> Any:
    """Return what an answer says, without the identifiers of its shell and items."""
    output = [item.model_dump(exclude={"id"}) for item in response.output]
    return output, response.usage, response.model, response.status


@pytest.fixture(params=SHAPES)
def shaped(request: pytest.FixtureRequest, question: Question) -> dict[str, Any]:
    directives, parameters = SHAPES[request.param]
    return question.response(directives, **parameters)


@pytest.mark.parametrize("way", WAYS)
def test_a_miss_is_the_upstreams_answer(
    client: OpenAI, direct: OpenAI, shaped: dict[str, Any], way: str
) -> None:
    assert _said(WAYS[way](client, shaped)) == _said(WAYS[way](direct, shaped))


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_the_same_request_again_is_a_hit(
    client: OpenAI,
    fake: RunningFake,
    question: Question,
    shaped: dict[str, Any],
    first: str,
    second: str,
) -> None:
    original = WAYS[first](client, shaped)
    replayed = WAYS[second](client, shaped)
    assert fake.asked(question.text) == 1
    assert _said(replayed) == _said(original)


@pytest.mark.parametrize("way", WAYS)
def test_a_response_that_the_upstream_keeps_is_replayed_under_its_id(
    client: OpenAI, question: Question, way: str
) -> None:
    # The next turn names it in `previous_response_id`: a fresh id would be unknown upstream.
    original = client.responses.create(**question.response())
    assert WAYS[way](client, question.response()).id == original.id


@pytest.mark.parametrize("way", WAYS)
def test_a_response_that_nobody_keeps_gets_a_fresh_id(
    client: OpenAI, question: Question, way: str
) -> None:
    ask = question.response(store=False)
    original = client.responses.create(**ask)
    assert WAYS[way](client, ask).id != original.id


@pytest.mark.parametrize("stored", WAYS)
def test_the_clients_stream_helper_assembles_a_hit(
    client: OpenAI, shaped: dict[str, Any], stored: str
) -> None:
    original = WAYS[stored](client, shaped)
    with client.responses.stream(**shaped) as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == original.output_text
    assert [item.type for item in final.output] == [item.type for item in original.output]


@pytest.mark.parametrize("stored", WAYS)
def test_a_replayed_stream_is_well_formed(
    client: OpenAI, http: httpx.Client, shaped: dict[str, Any], stored: str
) -> None:
    WAYS[stored](client, shaped)
    answer = http.post("/v1/responses", json=as_json(shaped) | {"stream": True})
    assert answer.headers["x-cachemw-layer"] == "exact"
    events = parse(answer.content)
    for event in events:
        # `name`: in OpenAI's documentation of `response.function_call_arguments.done`, and not in
        # the package's model of it.
        check(ResponseStreamEvent, event.data, extras=KNOWN_EXTRAS | {"name"})
        assert event.name == event.data["type"]
    assert [event.data["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event.name for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done")
    assert kinds[-1] == "response.completed"
    idents = {e.data["response"]["id"] for e in events if "response" in e.data}
    assert len(idents) == 1


def test_a_hit_is_of_openais_schema(http: httpx.Client, shaped: dict[str, Any]) -> None:
    for layer in ("upstream", "exact"):
        answer = http.post("/v1/responses", json=as_json(shaped))
        assert answer.headers["x-cachemw-layer"] == layer
        check(Response, answer.json())


def test_a_truncated_answer_is_not_stored(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    for count in (1, 2):
        answer = client.responses.create(**question.response("finish=length"))
        assert answer.status == "incomplete"
        assert fake.asked(question.text) == count


def test_an_answer_that_depends_on_stored_state_is_not_shared(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    for previous in ("resp_1", "resp_2"):
        client.responses.create(**question.response(previous_response_id=previous))
    assert fake.asked(question.text) == 2


class _City(BaseModel):
    name: str


def test_structured_output(client: OpenAI, fake: RunningFake, question: Question) -> None:
    miss, hit = (
        client.responses.parse(**question.response(text_format=_City)).output_parsed
        for _ in range(2)
    )
    assert isinstance(miss, _City)
    assert miss == hit
    assert fake.asked(question.text) == 1


async def test_the_async_client(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    stream = await async_client.responses.create(**question.response(), stream=True)
    text = "".join([e.delta async for e in stream if e.type == "response.output_text.delta"])
    answer = await async_client.responses.create(**question.response())
    assert answer.output_text == text
    assert fake.asked(question.text) == 1
