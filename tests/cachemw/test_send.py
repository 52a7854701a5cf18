"""Fallbacks: who is asked, what is sent there, and under which name the answer is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from cachemw.errors import (
    UpstreamBroken,
    UpstreamBusy,
    UpstreamError,
    UpstreamOpen,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from cachemw.upstreams.router import Backend, Fallback
from tests.support.service import (
    Assembled,
    EchoUpstream,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    text_of,
)

OVERLOADED = (503, b"application/json", [b'{"error":{"message":"first","code":null}}'])


def echo(name: str, origin: str = "") -> EchoUpstream:
    upstream = EchoUpstream()
    upstream.name, upstream.origin = name, origin or f"https://{name}"
    return upstream


@dataclass
class Pair:
    """A service with a first upstream that falls back to a second, as the model `small`."""

    service: Assembled
    first: EchoUpstream
    second: EchoUpstream


@asynccontextmanager
async def pair(*, origin: str = "", embedder: WordEmbedder | None = None) -> AsyncIterator[Pair]:
    first, second = echo("first"), echo("second", origin)
    backends = (
        Backend(first, fallbacks=(Fallback("second", "small"),)),
        Backend(second, models=("small",)),
    )
    async with assembled(Parts(backends=backends, embedder=embedder)) as service:
        yield Pair(service, first, second)


FAILURES: list[UpstreamError] = [
    UpstreamUnavailable("away"),
    UpstreamTimeout("silent"),
    UpstreamOpen("left alone"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_fallback_answers_for_an_upstream_that_fails(
    failure: UpstreamError, stream: bool
) -> None:
    async with pair() as p:
        p.first.failure = failure
        reply = await p.service.client.ask(chat("hi", stream=stream))
        assert (reply.status, text_of(reply.body)) == (200, "Answer 1 to hi")
        assert reply.header("x-cachemw-model") == "small"
        assert json.loads(p.second.calls[0].body)["model"] == "small"  # type: ignore[arg-type]
        counted = p.service.metric("upstream_fallbacks_total", model="m", to="small")
        assert counted == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_so_it_does_for_one_that_is_overloaded(status: int) -> None:
    async with pair() as p:
        p.first.reply = (status, *OVERLOADED[1:])
        assert (await p.service.client.ask(chat("hi"))).status == 200
        requests = {
            (model, code): p.service.metric("upstream_requests_total", model=model, status=code)
            for model, code in (("m", str(status)), ("small", "200"))
        }
        assert set(requests.values()) == {1.0}
        assert p.service.metric("upstream_in_flight", model="m") == 0


@pytest.mark.parametrize("status", [200, 400, 401, 404, 422, 501])
async def test_not_for_an_answer_and_not_for_what_the_client_did(status: int) -> None:
    async with pair() as p:
        p.first.reply = (status, b"application/json", [b"{}"])
        assert (await p.service.client.ask(chat("hi"))).status == status
        assert not p.second.calls


@pytest.mark.parametrize("failure", [UpstreamBusy("full"), UpstreamBroken("broken")])
async def test_not_for_a_limit_of_our_own(failure: UpstreamError) -> None:
    async with pair() as p:
        p.first.failure = failure
        assert (await p.service.client.ask(chat("hi"))).status == failure.status
        assert not p.second.calls


async def test_the_answer_is_the_fallbacks_and_not_the_first_models() -> None:
    async with pair() as p:
        p.first.reply = OVERLOADED
        given = await p.service.client.ask(chat("hi"))
        assert given.stored
        p.first.reply = None
        hit = await p.service.client.ask(chat("hi", model="small"))
        assert hit.layer == "exact"
        assert hit.header("x-cachemw-entry") == given.header("x-cachemw-entry")
        own = await p.service.client.ask(chat("hi"))
        assert (own.layer, own.header("x-cachemw-model")) == ("upstream", "m")
        assert (len(p.first.calls), len(p.second.calls)) == (2, 1)


async def test_nor_is_it_near_to_the_first_models_questions() -> None:
    async with pair(embedder=WordEmbedder()) as p:
        p.first.reply = OVERLOADED
        await p.service.client.ask(chat("hello there"))
        p.first.reply = None
        await p.service.flights.drain(5.0)
        own = await p.service.client.ask(chat("hello friend"), cache_control="no-store")
        assert own.layer == "upstream"
        near = await p.service.client.ask(chat("hello friend", model="small"))
        assert near.layer == "semantic"


async def test_followers_share_the_fallback() -> None:
    async with pair() as p:
        p.first.gate, p.first.reply = asyncio.Event(), OVERLOADED
        asking = (p.service.client.ask(chat("hi", stream=n % 2 == 0)) for n in range(8))
        crowd = asyncio.gather(*asking)
        async with asyncio.timeout(10.0):
            while True:
                if p.service.metric("singleflight_followers_total") == 7:
                    break
                await asyncio.sleep(0)
        p.first.gate.set()
        replies = await crowd
        assert {text_of(reply.body) for reply in replies} == {"Answer 1 to hi"}
        assert {reply.header("x-cachemw-model") for reply in replies} == {"small"}
        assert (len(p.first.calls), len(p.second.calls)) == (1, 1)


PERSONAL = (b"api-key", b"x-api-key", b"cookie", b"openai-organization", b"openai-project")


@pytest.mark.parametrize(("origin", "passes"), [("https://first", True), ("https://other", False)])
async def test_a_credential_goes_to_the_origin_it_was_meant_for(
    origin: str, *, passes: bool
) -> None:
    async with pair(origin=origin) as p:
        p.first.reply = OVERLOADED
        sent = [(name, b"x") for name in (*PERSONAL, b"idempotency-key")]
        body = json.dumps(chat("hi")).encode()
        await p.service.client.start("POST", "/v1/chat/completions", body, sent).done()
        names = {name for name, _ in p.second.calls[0].headers}
        personal = {b"authorization", *PERSONAL}
        assert personal & names == (personal if passes else set())
        assert b"idempotency-key" in names


async def test_where_all_fail_the_last_failure_ends_it() -> None:
    async with pair() as p:
        p.first.reply = OVERLOADED
        p.second.reply = (429, b"application/json", [b'{"error":{"message":"second"}}'])
        reply = await p.service.client.ask(chat("hi"))
        assert (reply.status, reply.json()["error"]["message"]) == (429, "second")
        # Each was asked once: the client's own retries are no more than it would make alone.
        assert reply.header("x-should-retry") == ""
        p.second.failure = UpstreamUnavailable("away")
        reply = await p.service.client.ask(chat("hi"))
        assert (reply.status, reply.header("x-should-retry")) == (502, "")


async def test_where_one_was_retried_the_client_is_told_not_to() -> None:
    async with pair() as p:
        p.first.failure = UpstreamUnavailable("away")
        p.first.failure.forbid_retry()
        for failure in (None, UpstreamTimeout("silent")):
            p.second.reply, p.second.failure = OVERLOADED, failure
            reply = await p.service.client.ask(chat("hi"))
            assert reply.header("x-should-retry") == "false"


async def test_what_is_not_cached_falls_back_too() -> None:
    async with pair() as p:
        p.first.failure = UpstreamUnavailable("away")
        reply = await p.service.client.ask(chat("hi"), x_cachemw_mode="off")
        assert (reply.status, text_of(reply.body)) == (200, "Answer 1 to hi")


async def test_all_share_the_first_ones_total_limit() -> None:
    async with pair() as p:
        p.first.reply, p.first.total_seconds = OVERLOADED, 50.0
        before = asyncio.get_running_loop().time()
        await p.service.client.ask(chat("hi"))
        after = asyncio.get_running_loop().time()
        (call,) = p.second.calls
        assert call.deadline == p.first.calls[0].deadline
        assert before + 50.0 <= call.deadline <= after + 50.0
