"""The client side of a miss: who leads, who joins, who takes over, and in which form."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from cachemw.app import build
from cachemw.config import load_config
from cachemw.errors import UpstreamUnavailable
from tests.support.asgi import AsgiReply
from tests.support.fakes import running_fake
from tests.support.servers import ServerThread, wait_until
from tests.support.service import Assembled, Parts, assembled, chat, text_of

CROWD = 1000


async def _crowd(service: Assembled, *streams: bool) -> list[AsgiReply]:
    asking = (service.client.ask(chat("hi", stream=stream)) for stream in streams)
    return await asyncio.gather(*asking)


async def _held(service: Assembled, *streams: bool) -> list[AsgiReply]:
    """Let a crowd gather before the upstream answers."""
    service.upstream.gate = asyncio.Event()
    crowd = asyncio.create_task(_crowd(service, *streams))
    await asyncio.sleep(0.05)
    service.upstream.gate.set()
    return await crowd


@pytest.mark.parametrize("leader_streams", [False, True])
async def test_each_gets_its_own_form_of_one_answer(leader_streams: bool) -> None:
    async with assembled(Parts()) as service:
        forms = [leader_streams, False, True, False, True]
        replies = await _held(service, *forms)
        assert len(service.upstream.calls) == 1
        assert {text_of(reply.body) for reply in replies} == {"Answer 1 to hi"}
        for stream, reply in zip(forms, replies, strict=True):
            expected = "text/event-stream" if stream else "application/json"
            assert reply.header("content-type").startswith(expected)
        assert ["collapsed" in r.header("cache-status") for r in replies] == [False, *[True] * 4]
        assert service.metric("singleflight_followers_total") == 4


async def test_of_a_failed_calls_followers_one_leads_and_the_others_join() -> None:
    async with assembled(Parts()) as service:
        upstream = service.upstream
        upstream.gate, upstream.failure = asyncio.Event(), UpstreamUnavailable("refused")
        crowd = asyncio.create_task(_crowd(service, *[False] * 10))
        await asyncio.sleep(0.02)
        upstream.gate.set()
        while len(upstream.calls) == 1:
            # The first call has taken the failure with it once the second is made.
            upstream.gate = asyncio.Event()
            await asyncio.sleep(0)
        upstream.failure = None
        upstream.gate.set()
        replies = await crowd
        assert sorted(reply.status for reply in replies) == [200] * 9 + [502]
        assert len(upstream.calls) == 2
        assert service.metric("singleflight_takeovers_total") == 9


async def test_a_failure_that_was_retried_is_shared() -> None:
    async with assembled(Parts()) as service:
        service.upstream.failure = UpstreamUnavailable("refused")
        service.upstream.failure.forbid_retry()
        replies = await _held(service, *[False, True] * 10)
        assert {(r.status, r.header("x-should-retry")) for r in replies} == {(502, "false")}
        assert len(service.upstream.calls) == 1
        assert service.metric("singleflight_takeovers_total") == 0


async def test_a_failure_that_lasts_reaches_everybody_in_bounded_time() -> None:
    async with assembled(Parts()) as service:
        service.upstream.failure = UpstreamUnavailable("refused")
        replies = await _held(service, *[False, True] * 10)
        assert {reply.status for reply in replies} == {502}
        assert len(service.upstream.calls) == 2
        assert service.metric("store_failures_total", operation="keep") == 0


async def test_a_follower_waits_only_so_long_for_anothers_first_byte() -> None:
    async with assembled(Parts(follower_wait=0.05)) as service:
        service.upstream.gate = gate = asyncio.Event()
        leader = asyncio.create_task(service.client.ask(chat("hi")))
        await asyncio.sleep(0.01)
        follower = asyncio.create_task(service.client.ask(chat("hi")))
        await asyncio.sleep(0.01)
        service.upstream.gate = None
        reply = await follower
        assert text_of(reply.body) == "Answer 2 to hi"
        gate.set()
        assert (await leader).status == 200


async def test_those_who_will_not_read_or_store_do_not_share_a_call() -> None:
    async with assembled(Parts()) as service:
        service.upstream.gate = asyncio.Event()
        asking = [
            asyncio.create_task(service.client.ask(chat("hi"), cache_control=control))
            for control in ("", "no-store", "no-cache") * 2
        ]
        await asyncio.sleep(0.02)
        service.upstream.gate.set()
        assert {reply.status for reply in await asyncio.gather(*asking)} == {200}
        # One for all readers, one for those who forbid storing, and each `no-cache` its own.
        assert len(service.upstream.calls) == 4


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_too_large_to_keep_is_passed_on_whole(stream: bool) -> None:
    async with assembled(Parts(max_answer_bytes=2000)) as service:
        asked = chat("word " * 400, stream=stream)
        replies = await asyncio.gather(*(service.client.ask(asked) for _ in range(3)))
        for reply in replies:
            assert text_of(reply.body).endswith("word " * 400)
            assert not reply.stored
        assert (await service.client.ask(asked)).layer == "upstream"


async def test_usage_is_told_to_those_who_asked_alone() -> None:
    async with assembled(Parts()) as service:
        service.upstream.gate = asyncio.Event()
        with_usage = chat("hi", stream=True, stream_options={"include_usage": True})
        asking = [
            asyncio.create_task(service.client.ask(body))
            for body in (chat("hi", stream=True), with_usage, chat("hi", stream=True))
        ]
        await asyncio.sleep(0.02)
        service.upstream.gate.set()
        replies = await asyncio.gather(*asking)
        assert [b'"usage": {' in reply.body for reply in replies] == [False, True, False]
        assert len(service.upstream.calls) == 1


async def test_what_is_not_stored_is_not_waited_for() -> None:
    """A reply that cannot be stored must not wait for the time that a commit may take."""
    async with assembled(Parts(commit_wait=30.0)) as service:
        body = json.dumps({"choices": []}).encode()
        for status in (200, 429):
            service.upstream.reply = (status, b"application/json", [body])
            reply = await service.client.ask(chat("hi"), within=10.0)
            assert (reply.status, reply.stored) == (status, False)


@pytest.mark.timeout(180)
async def test_a_thousand_clients_at_once_make_one_upstream_call() -> None:
    with running_fake() as fake:
        config = load_config(
            {
                "mode": "exact",
                "upstreams": [{"name": "fake", "base_url": fake.url + "/v1"}],
                "store": {"kind": "memory"},
                "cache_dir": "/nowhere",
            },
            env={},
        )
        service = build(config, env={})
        with ServerThread(service.asgi) as server:
            wait_until(lambda: service.readiness.started, what="readiness")
            limits = httpx.Limits(max_connections=CROWD)
            async with httpx.AsyncClient(limits=limits, timeout=90.0) as client:
                body = chat("What now?", x_fake="vary;delay=4;tokens=20")
                url = server.url + "/v1/chat/completions"
                asking = (
                    client.post(url, json=body | {"stream": bool(turn % 2)})
                    for turn in range(CROWD)
                )
                replies = await asyncio.gather(*asking)
        assert {reply.status_code for reply in replies} == {200}
        assert len({text_of(reply.content) for reply in replies}) == 1
        assert fake.asked("What now?") == 1
