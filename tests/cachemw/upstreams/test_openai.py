"""The HTTP upstream: its time limits, its errors, and what it sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace

import orjson
import pytest

from cachemw.errors import (
    UpstreamBroken,
    UpstreamBusy,
    UpstreamOpen,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from cachemw.upstreams.health import UpstreamHealth
from cachemw.upstreams.openai import Limits, OpenAIUpstream
from tests.cachemw.upstreams.conftest import Clock, healthy
from tests.support.fakes import RunningFake, running_fake
from tests.support.servers import free_port, wait_until


@pytest.fixture(scope="module")
def fake() -> Iterator[RunningFake]:
    with running_fake(tokens=20) as running:
        yield running


@pytest.fixture
async def upstream(fake: RunningFake) -> AsyncIterator[OpenAIUpstream]:
    made = make(fake.url)
    yield made
    await made.aclose()


def make(
    url: str,
    key: str | None = None,
    health: UpstreamHealth | None = None,
    **limits: float,
) -> OpenAIUpstream:
    given = Limits(**limits)  # type: ignore[arg-type]
    return OpenAIUpstream(
        "fake", url + "/v1", api_key=key, limits=given, health=health or healthy()
    )


def call(directives: str = "", *, stream: bool = False, **headers: str) -> UpstreamRequest:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": stream,
        "x_fake": directives,
    }
    sent = [(b"content-type", b"application/json")]
    sent += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return UpstreamRequest("POST", "/v1/chat/completions", b"", sent, orjson.dumps(body))


async def read(reply: UpstreamReply) -> bytes:
    async with aclosing(reply.chunks) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_the_head_comes_before_the_body(upstream: OpenAIUpstream) -> None:
    reply = await upstream.send(call("tpot-ms=5", stream=True))
    assert reply.status == 200
    assert reply.header(b"content-type").startswith(b"text/event-stream")
    assert (await read(reply)).endswith(b"data: [DONE]\n\n")


async def test_a_compressed_reply_arrives_decoded(upstream: OpenAIUpstream) -> None:
    assert orjson.loads(await read(await upstream.send(call("gzip"))))["choices"]


async def test_an_error_status_is_a_reply(upstream: OpenAIUpstream) -> None:
    reply = await upstream.send(call("status=429;retry-after=2"))
    assert (reply.status, reply.header(b"retry-after")) == (429, b"2")
    assert orjson.loads(await read(reply))["error"]


async def test_the_configured_key_replaces_the_clients(fake: RunningFake) -> None:
    upstream = make(fake.url, key="sk-ours")
    await read(await upstream.send(call(authorization="Bearer sk-client", api_key="k")))
    seen = fake.record.requests[-1].headers
    assert seen["authorization"] == "Bearer sk-ours"
    assert "api-key" not in seen
    await upstream.aclose()


async def test_without_a_key_the_clients_is_passed_on(
    upstream: OpenAIUpstream, fake: RunningFake
) -> None:
    await read(await upstream.send(call(authorization="Bearer sk-client")))
    assert fake.record.requests[-1].headers["authorization"] == "Bearer sk-client"


async def test_nobody_there() -> None:
    upstream = make(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UpstreamUnavailable):
        await upstream.send(call())
    await upstream.aclose()


@pytest.mark.parametrize("directives", ["hang", "delay=5"])
async def test_no_first_byte_in_time(fake: RunningFake, directives: str) -> None:
    upstream = make(fake.url, first_byte=0.2)
    with pytest.raises(UpstreamTimeout):
        await upstream.send(call(directives))
    await upstream.aclose()


async def test_silence_in_the_middle(fake: RunningFake) -> None:
    upstream = make(fake.url, first_byte=0.3)
    reply = await upstream.send(call("hang=mid", stream=True))
    with pytest.raises(UpstreamTimeout):
        await read(reply)
    await upstream.aclose()


async def test_the_total_limit_ends_a_stream_that_goes_on(fake: RunningFake) -> None:
    upstream = make(fake.url, total=0.5)
    reply = await upstream.send(call("tokens=500;tpot-ms=20", stream=True))
    with pytest.raises(UpstreamTimeout):
        await read(reply)
    await upstream.aclose()


async def test_the_total_limit_does_not_strike_a_slow_reader(fake: RunningFake) -> None:
    upstream = make(fake.url, total=0.5)
    reply = await upstream.send(call(stream=True))
    async with aclosing(reply.chunks) as chunks:
        first = await anext(chunks)
        await asyncio.sleep(0.1)
        rest = [chunk async for chunk in chunks]
    assert b"".join([first, *rest]).endswith(b"data: [DONE]\n\n")
    await upstream.aclose()


async def test_death_in_the_middle(upstream: OpenAIUpstream) -> None:
    with pytest.raises(UpstreamBroken):
        await read(await upstream.send(call("die=mid", stream=True)))


async def test_after_any_failure_the_next_call_works(upstream: OpenAIUpstream) -> None:
    for directives in ("die", "die=mid", "status=500"):
        with suppress(UpstreamUnavailable, UpstreamBroken):
            await read(await upstream.send(call(directives, stream=True)))
        assert orjson.loads(await read(await upstream.send(call())))["choices"]


async def test_an_upstream_that_breaks_every_stream_is_not_logged_each_time(
    fake: RunningFake, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    upstream = make(fake.url, health=healthy(failures=3, seconds=5.0, clock=clock))
    for _ in range(3):
        with pytest.raises(UpstreamBroken):
            await read(await upstream.send(call("die=mid", stream=True)))
    with pytest.raises(UpstreamOpen):
        await upstream.send(call())
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "dependency failed"
    ]
    clock.now += 5.0
    await read(await upstream.send(call(stream=True)))
    assert caplog.records[-1].message == "dependency is back"
    await upstream.aclose()


async def test_a_full_pool_is_not_a_failure_of_the_upstream(
    fake: RunningFake, caplog: pytest.LogCaptureFixture
) -> None:
    upstream = make(fake.url, health=healthy(failures=1), connections=1, connect=0.1)
    reply = await upstream.send(call("tokens=200;tpot-ms=20", stream=True))
    for _ in range(2):
        with pytest.raises(UpstreamBusy, match="connections"):
            await upstream.send(call())
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    reply.abandon()
    await read(await upstream.send(call()))
    await upstream.aclose()


async def test_a_reply_that_nobody_reads_gives_its_connection_up(fake: RunningFake) -> None:
    upstream = make(fake.url, connections=1, connect=0.2)
    for _ in range(3):
        reply = await upstream.send(call("tokens=200;tpot-ms=20", stream=True))
        # A generator that was never begun does not run its end.
        await reply.chunks.aclose()
        reply.abandon()
        reply.abandon()
    await read(await upstream.send(call()))
    await upstream.aclose()


@pytest.mark.parametrize("directives", ["status=502", "status=503", "hang", "die"])
async def test_what_opens_the_breaker(fake: RunningFake, directives: str) -> None:
    upstream = make(fake.url, health=healthy(failures=2), first_byte=0.2)
    for _ in range(2):
        with suppress(UpstreamUnavailable, UpstreamTimeout):
            await read(await upstream.send(call(directives)))
    with pytest.raises(UpstreamOpen) as caught:
        await upstream.send(call())
    assert caught.value.headers == ((b"retry-after", b"60"),)
    await upstream.aclose()


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 429, 500])
async def test_what_does_not(fake: RunningFake, status: int) -> None:
    upstream = make(fake.url, health=healthy(failures=1))
    for _ in range(2):
        reply = await upstream.send(call(f"status={status}"))
        assert reply.status == status
        await read(reply)
    await upstream.aclose()


async def test_a_client_that_leaves_is_no_failure(fake: RunningFake) -> None:
    upstream = make(fake.url, health=healthy(failures=1))
    before = fake.calls()
    task = asyncio.create_task(upstream.send(call("hang")))
    await asyncio.to_thread(wait_until, lambda: fake.calls() > before)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await read(await upstream.send(call()))
    await upstream.aclose()


async def test_a_request_may_bring_a_tighter_limit(fake: RunningFake) -> None:
    upstream = make(fake.url)
    deadline = asyncio.get_running_loop().time() + 0.2
    with pytest.raises(UpstreamTimeout):
        await upstream.send(replace(call("hang"), deadline=deadline))
    await upstream.aclose()


async def test_a_path_is_passed_on_as_it_came(upstream: OpenAIUpstream, fake: RunningFake) -> None:
    request = UpstreamRequest("GET", "/v1/files/a%2Fb%20c", b"x=%20y&x=2", [], b"", raw=True)
    before = fake.record.calls["GET /v1/files/a/b c"]
    await read(await upstream.send(request))
    assert fake.record.calls["GET /v1/files/a/b c"] == before + 1
    assert fake.record.requests[-1].query == "x=%20y&x=2"
