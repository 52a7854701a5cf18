from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from loadtests.http.blocks import fire, first_milliseconds, milliseconds
from loadtests.http.client import Connection, Response, connections
from loadtests.http.shots import (
    TOKENS,
    Chat,
    Incorrect,
    Shot,
    require,
    streamed_text,
)
from loadtests.http.wording import questions
from tests.support.fakes import RunningFake, running_fake


@pytest.fixture(scope="module")
def fake() -> Iterator[RunningFake]:
    with running_fake(tokens=TOKENS) as running:
        yield running


def _port(fake: RunningFake) -> int:
    return int(fake.url.rpartition(":")[2])


async def test_the_answer_is_what_the_fake_says(fake: RunningFake) -> None:
    shots = [Chat(text).shot(None) for text, _ in zip(questions(), range(20), strict=False)]
    async with connections(_port(fake), 4) as pool:
        responses = await fire(pool, shots)
    assert len(responses) == 20
    assert all(ms > 0 for ms in milliseconds(responses))


async def test_the_first_content_of_a_stream_is_timed(fake: RunningFake) -> None:
    chat = Chat("How long?", stream=True, ttft_ms=20)
    async with connections(_port(fake), 1) as pool:
        [response] = await fire(pool, [chat.shot(None)])
    assert streamed_text(response.body) == chat.answer
    [first] = first_milliseconds([response])
    assert 20 <= first < 1e3 * response.seconds - 5


async def test_upstream_latency_is_asked_for_in_the_body(fake: RunningFake) -> None:
    async with connections(_port(fake), 1) as pool:
        [response] = await fire(pool, [Chat("Slowly?", ttft_ms=20).shot(None)])
    assert response.seconds >= 0.02


async def test_a_wrong_answer_is_found(fake: RunningFake) -> None:
    other = Chat("Another question?").shot(None)
    wrong = Shot(Chat("This question?").raw, other.check)
    async with connections(_port(fake), 1) as pool:
        with pytest.raises(Incorrect, match="answer"):
            await fire(pool, [wrong])


async def test_a_wrong_layer_is_found(fake: RunningFake) -> None:
    async with connections(_port(fake), 1) as pool:
        with pytest.raises(Incorrect, match="layer None, not exact"):
            await fire(pool, [Chat("Is it stored?").shot("exact")])


async def test_an_error_is_no_answer(fake: RunningFake) -> None:
    shot = Chat("What?", headers={"x-fake": "status=500"}).shot(None)
    async with connections(_port(fake), 1) as pool:
        with pytest.raises(Incorrect, match="status 500"):
            await fire(pool, [shot])


async def test_a_reply_that_breaks_off_is_an_error(fake: RunningFake) -> None:
    raw = Chat("What?", headers={"x-fake": "die=mid"}).raw
    async with connections(_port(fake), 1) as (connection,):
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(connection.request(raw), 5)
        with pytest.raises(ConnectionError):
            await connection.request(raw)


async def test_a_connection_that_was_not_made_says_so() -> None:
    with pytest.raises(ConnectionError):
        await Connection().request(b"")


def test_a_stream_without_its_end_is_no_answer() -> None:
    chat = Chat("What?", stream=True)
    chunk = orjson.dumps({"choices": [{"delta": {"content": chat.answer}}]})
    headers = [(b"content-type", b"text/event-stream")]
    whole = Response(200, headers, b"data: %s\n\ndata: [DONE]\n\n" % chunk, 0.1, None)
    require(chat.shot(None), whole)
    with pytest.raises(Incorrect):
        require(chat.shot(None), replace(whole, body=b"data: %s\n\n" % chunk))
