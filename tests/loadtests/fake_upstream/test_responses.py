from __future__ import annotations

from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from tests.support.schema import check
from tests.support.sse import parse

ASK: Any = {"model": "fake-large", "input": "hello"}
LOOKUP: Any = {
    "type": "function",
    "name": "lookup",
    "strict": True,
    "parameters": {"type": "object", "properties": {"key": {"type": "string"}}},
}
VARIANTS = ["", "reasoning", "refusal", "tools=2", "reasoning;tools=1", "finish=length", "no-usage"]


def _post(http: httpx.Client, directives: str, **body: Any) -> httpx.Response:
    request = ASK | {"tools": [LOOKUP], "x_fake": directives} | body
    answer = http.post("/v1/responses", json=request)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("directives", VARIANTS)
def test_a_plain_answer_is_of_openais_schema(http: httpx.Client, directives: str) -> None:
    check(Response, _post(http, directives).json())


@pytest.mark.parametrize("directives", VARIANTS)
def test_events_are_of_openais_schema_and_numbered(http: httpx.Client, directives: str) -> None:
    events = parse(_post(http, directives, stream=True).content)
    for event in events:
        check(ResponseStreamEvent, event.data)
        assert event.name == event.data["type"]
    assert [event.data["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.parametrize(
    ("directives", "end"), [("", "completed"), ("finish=length", "incomplete")]
)
def test_the_last_event_holds_the_whole_answer(
    http: httpx.Client, directives: str, end: str
) -> None:
    last = parse(_post(http, directives, stream=True).content)[-1].data
    assert last["type"] == f"response.{end}"
    plain = _post(http, directives).json()
    assert last["response"]["output"][0]["content"] == plain["output"][0]["content"]
    assert last["response"]["status"] == plain["status"] == end


@pytest.mark.parametrize("directives", ["", "refusal", "reasoning", "tools=2", "chunk-bytes=3"])
def test_the_clients_stream_helper_assembles_the_answer(client: OpenAI, directives: str) -> None:
    headers = {"x-fake": directives}
    plain = client.responses.create(**ASK, tools=[LOOKUP], extra_headers=headers)
    with client.responses.stream(**ASK, tools=[LOOKUP], extra_headers=headers) as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == plain.output_text == final.output_text
    assert [item.type for item in final.output] == [item.type for item in plain.output]
    assert final.usage == plain.usage


async def test_async_streaming(async_client: AsyncOpenAI) -> None:
    stream = await async_client.responses.create(**ASK, stream=True)
    kinds = [event.type async for event in stream]
    assert kinds[0] == "response.created"
    assert kinds.count("response.output_text.delta") == 8
    assert kinds[-1] == "response.completed"


class _City(BaseModel):
    name: str


def test_structured_output_is_parsed_by_the_client(client: OpenAI) -> None:
    city = client.responses.parse(**ASK, text_format=_City).output_parsed
    assert city is not None
    assert len(city.name) == 12
