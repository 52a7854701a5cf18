"""Retries, with waits that a test sees and does not sit through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from random import Random

import pytest
from cachemw_policies.retry import RetryRules

from cachemw.errors import UpstreamError, UpstreamOpen, UpstreamTimeout, UpstreamUnavailable
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.health import UpstreamHealth
from cachemw.upstreams.retrying import Chance, RetryingUpstream
from tests.cachemw.upstreams.conftest import Clock, healthy

CALL = UpstreamRequest("POST", "/v1/chat/completions", b"", [], b"{}", model="m")


class Scripted(Upstream):
    """Answers with one outcome after another: an error, or a status with headers."""

    name = "scripted"
    total_seconds = 100.0

    def __init__(self, *outcomes: UpstreamError | int | tuple[int, dict[str, str]]) -> None:
        self._outcomes = list(outcomes)
        self.calls: list[UpstreamRequest] = []
        self.abandoned = 0

    async def start(self) -> None:
        """Nothing to begin."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        self.calls.append(request)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, UpstreamError):
            raise outcome
        status, headers = outcome if isinstance(outcome, tuple) else (outcome, {})
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return UpstreamReply(status, raw, _nothing(), self._abandon)

    def _abandon(self) -> None:
        self.abandoned += 1


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""


class Rig:
    """A retrying upstream over a scripted one."""

    def __init__(
        self,
        *outcomes: UpstreamError | int | tuple[int, dict[str, str]],
        health: UpstreamHealth | None = None,
        first_byte: float = 10.0,
    ) -> None:
        self.inner = Scripted(*outcomes)
        self.waits: list[float] = []
        self.retries: list[tuple[str, str]] = []
        self.upstream = RetryingUpstream(
            self.inner,
            health or healthy(),
            RetryRules(retries=2, base_s=0.5, max_s=8.0),
            Chance(Random(1), Clock(1_000_000.0), self._sleep),
            lambda model, reason: self.retries.append((model, reason)),
            first_byte_seconds=first_byte,
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def send(self, request: UpstreamRequest = CALL) -> UpstreamReply:
        return await self.upstream.send(request)


async def test_a_good_reply_is_passed_on_as_it_is() -> None:
    rig = Rig(200)
    reply = await rig.send()
    assert (reply.status, reply.headers, reply.calls) == (200, [], 1)
    assert (rig.inner.calls, rig.waits) == ([CALL], [])


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_transient_status_is_tried_again(status: int) -> None:
    rig = Rig(status, status, 200)
    reply = await rig.send()
    assert (reply.status, reply.calls, rig.inner.abandoned) == (200, 3, 2)
    assert rig.retries == [("m", str(status))] * 2
    assert 0 <= rig.waits[0] <= 0.5
    assert 0 <= rig.waits[1] <= 1.0


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422, 501])
async def test_no_other_status_is(status: int) -> None:
    rig = Rig(status)
    assert (await rig.send()).status == status
    assert len(rig.inner.calls) == 1


@pytest.mark.parametrize("error", [UpstreamUnavailable("away"), UpstreamTimeout("silent")])
async def test_so_is_an_upstream_that_is_away_or_silent(error: UpstreamError) -> None:
    rig = Rig(error, 200)
    assert (await rig.send()).status == 200
    assert rig.retries == [("m", error.code)]


async def test_the_last_reply_tells_the_client_not_to_retry_on_top() -> None:
    rig = Rig(503, 503, (429, {"x-should-retry": "true"}))
    reply = await rig.send()
    assert reply.status == 429
    assert reply.headers == [(b"x-should-retry", b"false")]


async def test_so_does_the_last_error() -> None:
    rig = Rig(503, UpstreamUnavailable("away"), UpstreamTimeout("silent"))
    with pytest.raises(UpstreamTimeout) as caught:
        await rig.send()
    assert caught.value.headers == ((b"x-should-retry", b"false"),)


async def test_a_failure_that_was_not_retried_says_nothing() -> None:
    rig = Rig((503, {"retry-after": "60"}))
    assert (await rig.send()).headers == [(b"retry-after", b"60")]
    assert rig.waits == []


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "125", "retry-after": "3"}, 0.125),
        ({"retry-after": "Mon, 12 Jan 1970 13:46:44 GMT"}, 4.0),
    ],
)
async def test_the_upstreams_wish_is_heeded(headers: dict[str, str], wait: float) -> None:
    rig = Rig((429, headers), 200)
    assert (await rig.send()).status == 200
    assert rig.waits == [wait]


async def test_the_upstream_may_forbid_it() -> None:
    rig = Rig((503, {"x-should-retry": "false"}))
    assert (await rig.send()).calls == 1


@pytest.mark.parametrize("count", ["1", "2"])
async def test_a_clients_own_retry_is_one_call_and_may_go_on(count: str) -> None:
    rig = Rig(503)
    headers = [(b"x-stainless-retry-count", count.encode())]
    reply = await rig.send(replace(CALL, headers=headers))
    assert (reply.headers, len(rig.inner.calls)) == ([], 1)


async def test_every_call_is_the_same() -> None:
    headers = [(b"idempotency-key", b"k"), (b"x-stainless-retry-count", b"0")]
    rig = Rig(503, 503, 200)
    await rig.send(replace(CALL, headers=headers))
    assert {tuple(call.headers) for call in rig.inner.calls} == {tuple(headers)}
    assert {call.body for call in rig.inner.calls} == {b"{}"}


async def test_all_calls_share_one_deadline() -> None:
    rig = Rig(503, 503, 200)
    now = asyncio.get_running_loop().time()
    await rig.send()
    deadlines = {call.deadline for call in rig.inner.calls[1:]}
    assert len(deadlines) == 1
    assert now + 100.0 <= deadlines.pop() <= asyncio.get_running_loop().time() + 100.0


async def test_a_silent_upstream_is_asked_again_only_if_it_can_have_as_long() -> None:
    rig = Rig(UpstreamTimeout("silent"), first_byte=100.0)
    with pytest.raises(UpstreamTimeout):
        await rig.send()
    assert len(rig.inner.calls) == 1


@pytest.mark.parametrize(
    ("request_", "calls"),
    [
        (replace(CALL, raw=True), 1),
        (replace(CALL, raw=True, body=b""), 1),
        (replace(CALL, raw=True, body=b"", method="GET"), 2),
        (replace(CALL, raw=True, body=b"", method="HEAD"), 2),
        (replace(CALL, raw=True, body=b"", method="DELETE"), 1),
    ],
)
async def test_of_what_is_passed_through_only_reading_is_repeated(
    request_: UpstreamRequest, calls: int
) -> None:
    rig = Rig(503, 200)
    await rig.send(request_)
    assert len(rig.inner.calls) == calls


async def test_a_streamed_body_is_sent_once() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    rig = Rig(503, 200)
    assert (await rig.send(replace(CALL, body=body()))).status == 503


async def test_an_upstream_that_is_left_alone_is_not_waited_for() -> None:
    health = healthy(failures=1)
    rig = Rig(503, 200, health=health)
    health.failed(health.admit(), "status 503")
    assert (await rig.send()).status == 503
    assert rig.waits == []


async def test_the_breakers_refusal_is_passed_on() -> None:
    rig = Rig(UpstreamOpen("left alone", retry_after=4), 200)
    with pytest.raises(UpstreamOpen):
        await rig.send()
    assert len(rig.inner.calls) == 1
