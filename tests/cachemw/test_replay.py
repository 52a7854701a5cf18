"""Replaying a stored answer: fresh where a real one is, the same where that is the answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from cachemw.endpoints.table import endpoints
from cachemw.replay import can_replay
from tests.support.asgi import AsgiReply
from tests.support.service import Assembled, Parts, assembled, chat, text_of

CHAT = endpoints()["/v1/chat/completions"]


@pytest.fixture
async def service() -> AsyncIterator[Assembled]:
    async with assembled(Parts()) as made:
        await made.client.ask(chat("hello there"))
        yield made


def _ids(reply: AsgiReply) -> set[str]:
    if not reply.body.startswith(b"data:"):
        return {reply.json()["id"]}
    lines = [line[6:] for line in reply.body.split(b"\n\n") if line.startswith(b"data: {")]
    return {json.loads(line)["id"] for line in lines}


@pytest.mark.parametrize("stream", [False, True])
async def test_each_replay_has_one_id_of_its_own_and_its_own_time(
    service: Assembled, stream: bool
) -> None:
    service.clock.now += 77
    seen: set[str] = set()
    for _ in range(3):
        reply = await service.client.ask(chat("hello there", stream=stream))
        (ident,) = _ids(reply)
        assert ident.startswith("chatcmpl-")
        assert ident not in seen
        seen.add(ident)
        assert b"%d" % service.clock.now in reply.body
        assert text_of(reply.body) == "Answer 1 to hello there"


async def test_the_headers_of_a_hit(service: Assembled) -> None:
    service.clock.now += 77
    reply = await service.client.ask(chat("hello there"))
    key = reply.header("x-cachemw-entry")
    expected = f'cachemw; hit; ttl={3600 - 77}; key="{key[:16]}"; detail=exact'
    assert reply.header("cache-status") == expected
    assert (reply.header("age"), reply.header("x-cachemw-model")) == ("77", "m")


async def test_a_clock_that_was_set_back_makes_no_negative_age(service: Assembled) -> None:
    service.clock.now -= 50
    assert (await service.client.ask(chat("hello there"))).header("age") == "0"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices": [{}]}', b'{"choices": 1}'])
def test_what_cannot_be_streamed_is_not_for_keeping(body: bytes) -> None:
    assert not can_replay(CHAT, body)


def test_embeddings_never_stream_and_so_can_always_be_replayed() -> None:
    assert can_replay(endpoints()["/v1/embeddings"], b"{}")
