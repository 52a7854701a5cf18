"""The client, against the fake upstream itself: times, answers, refusals."""

from __future__ import annotations

import time

import httpx
import numpy as np
import orjson
import pytest

from loadtests.overload.live_client import MODEL, ask, headers, look, replayed, streamed
from loadtests.overload.live_plan import Plan
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import NOTHING_NEAR, Arrival
from loadtests.overload.upstream import Capacity
from tests.support.fakes import running_fake

CAPACITY = Capacity(slots=1, waiting=1, first_s=0.1, prompt_tokens_s=1e9, answer_tokens_s=100.0)
ONE = Arrival(0.0, 10, 20, NOTHING_NEAR, 0.0)
NOBODY = Scored(np.arange(0), np.empty(0), np.empty(0, dtype=np.bool_))
METRICS = f"""\
# TYPE cachemw_load_level gauge
cachemw_load_level{{model="{MODEL}"}} 0.4
cachemw_load_level{{model="another"}} 0.9
# TYPE cachemw_upstream_queueing_ratio gauge
cachemw_upstream_queueing_ratio{{model="{MODEL}"}} 2.5
"""


async def test_an_answer_takes_as_long_as_the_capacity_says() -> None:
    with running_fake() as fake:
        async with httpx.AsyncClient(base_url=fake.url) as client:
            reply = await ask(client, "hello", headers(ONE, CAPACITY))
    assert reply.status == 200
    assert reply.stored is None
    # 0.1 s, and 20 tokens at 100 a second; a busy machine takes longer, never less.
    assert CAPACITY.answer_s(10, 20) <= reply.seconds + 0.005


async def test_requests_go_at_their_times_and_refusals_are_seen() -> None:
    coming = [Arrival(at, 10, 20, NOTHING_NEAR, 0.0) for at in (0.0, 0.05, 0.1)]
    plan = Plan(coming, NOBODY, ["one", "two", "three"], [], CAPACITY)
    with running_fake(slots=1, waiting=1) as fake:
        began = time.monotonic()
        seen = await replayed(fake.url, plan)
        took = time.monotonic() - began
    assert [reply.status for reply in seen.replies] == [200, 200, 429]
    assert took >= 2 * CAPACITY.answer_s(10, 20)


async def test_a_server_that_is_gone_counts_as_no_answer() -> None:
    with running_fake() as fake:
        url = fake.url
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await ask(client, "hello", {})).status == 0


@pytest.mark.parametrize(
    ("answer", "stored"), [("stored answer: 17", 17), ("Answer 0123 amber", None)]
)
async def test_the_reply_says_who_answered_and_why(answer: str, stored: int | None) -> None:
    def serve(_: httpx.Request) -> httpx.Response:
        said = {
            "x-cachemw-layer": "semantic",
            "age": "7",
            "x-cachemw-decision": "category=questions; outcome=served; load=0.25",
        }
        event = {"choices": [{"delta": {"content": answer}}]}
        content = b"data: " + orjson.dumps(event) + b"\n\ndata: [DONE]\n\n"
        return httpx.Response(200, headers=said, content=content)

    transport = httpx.MockTransport(serve)
    async with httpx.AsyncClient(base_url="http://x", transport=transport) as client:
        reply = await ask(client, "hello", {})
    assert (reply.layer, reply.stored, reply.age_s) == ("semantic", stored, 7.0)
    assert reply.decision == {"category": "questions", "outcome": "served", "load": "0.25"}


def test_a_stream_without_choices_has_no_text() -> None:
    assert streamed(b'data: {"choices": []}\n\ndata: [DONE]\n\n') == ""


def test_gauges_are_those_of_the_model() -> None:
    seen = look(METRICS, 3.0)
    assert (seen.at, seen.level, seen.queueing, seen.error) == (3.0, 0.4, 2.5, 0.0)
