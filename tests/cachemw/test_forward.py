"""What the cache has no part in: passed on, and given up when its client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from cachemw.errors import UpstreamOpen
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from tests.support.service import EchoUpstream, Parts, assembled, chat


class Counting(EchoUpstream):
    """Counts the bodies that were begun, and the replies that were given up."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0
        self.abandoned = asyncio.Event()

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        reply = await super().send(request)
        return replace(reply, chunks=self._begun(reply), abandon=self.abandoned.set)

    async def _begun(self, reply: UpstreamReply) -> AsyncGenerator[bytes, None]:
        self.begun += 1
        async for chunk in reply.chunks:
            yield chunk


async def test_every_reply_is_given_up_in_the_end() -> None:
    upstream = Counting()
    async with assembled(Parts(upstream=upstream)) as service:
        reply = await service.client.ask(chat("hi"), x_cachemw_mode="off")
        assert (reply.status, upstream.begun) == (200, 1)
        assert upstream.abandoned.is_set()


async def test_an_upstream_that_is_left_alone() -> None:
    upstream = EchoUpstream()
    upstream.failure = UpstreamOpen("left alone", retry_after=3)
    async with assembled(Parts(upstream=upstream)) as service:
        reply = await service.client.ask(b"x", "/v1/files")
        assert (reply.status, reply.header("retry-after")) == (503, "3")
        assert reply.json()["error"]["code"] == "upstream_circuit_open"
        assert service.metric("upstream_in_flight", model="passthrough") == 0
