"""The local model as an upstream: it is waited for while it loads, and stopped with the service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

import pytest

from cachemw.errors import UpstreamUnavailable
from cachemw.local.process import LocalModelProcess
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from cachemw.upstreams.local import LocalUpstream
from cachemw.upstreams.openai import OpenAIUpstream
from tests.cachemw.upstreams.conftest import healthy

CALL = UpstreamRequest("POST", "/v1/chat/completions", b"", [], b"{}")


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""


class FakeProcess:
    """Notes what is asked of it."""

    def __init__(self, events: list[str], failure: Exception | None = None) -> None:
        self._events = events
        self._failure = failure

    async def start(self) -> None:
        self._events.append("start")

    async def wait_ready(self, seconds: float) -> None:
        self._events.append(f"wait {seconds}")
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        self._events.append("stop")


class FakeHttp(OpenAIUpstream):
    """Notes what is sent."""

    def __init__(self, events: list[str]) -> None:
        super().__init__("lab", "http://local/v1", health=healthy())
        self._events = events

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        self._events.append("send")
        return UpstreamReply(200, [], _nothing())

    async def aclose(self) -> None:
        self._events.append("close")
        await super().aclose()


def made(failure: Exception | None = None) -> tuple[LocalUpstream, list[str]]:
    events: list[str] = []
    process = cast("LocalModelProcess", FakeProcess(events, failure))
    return LocalUpstream(process, FakeHttp(events), ready_seconds=7.0), events


async def test_a_call_waits_for_the_worker_and_is_then_sent() -> None:
    upstream, events = made()
    await upstream.start()
    await upstream.send(CALL)
    await upstream.aclose()
    assert events == ["start", "wait 7.0", "send", "close", "stop"]
    assert upstream.name == "lab"


async def test_a_worker_that_is_not_ready_is_an_upstream_that_is_away() -> None:
    upstream, events = made(UpstreamUnavailable("not ready"))
    with pytest.raises(UpstreamUnavailable):
        await upstream.send(CALL)
    assert "send" not in events
    await upstream.aclose()
