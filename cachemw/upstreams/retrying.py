"""An upstream whose transient failures are tried again before anybody hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random

from cachemw_policies.retry import (
    TRANSIENT_STATUSES,
    Attempts,
    RetryRules,
    allowed_retries,
    asked_wait,
    wait_before_retry,
)

from cachemw.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.health import UpstreamHealth

Outcome = UpstreamReply | UpstreamError
Sleep = Callable[[float], Awaitable[None]]
# Called with the model and the kind of failure.
OnRetry = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Chance:
    """Where randomness and time come from: waits, Unix time, and sleep."""

    rng: Random
    clock: Callable[[], float]
    sleep: Sleep = asyncio.sleep


class RetryingUpstream(Upstream):
    """Makes a call anew where that may help; nothing of a failed one reaches the client.

    A reply is retried by its status alone: once the head of another is there it is passed on, and
    what breaks after that is the reader's to see. Where calls were made anew in vain, the outcome
    says so to the client's own retries (`x-should-retry: false`).
    """

    def __init__(
        self,
        inner: Upstream,
        health: UpstreamHealth,
        rules: RetryRules,
        chance: Chance,
        on_retry: OnRetry,
        *,
        first_byte_seconds: float,
    ) -> None:
        self.name, self.origin = inner.name, inner.origin
        self.total_seconds = inner.total_seconds
        self._inner = inner
        self._health = health
        self._rules = rules
        self._first_byte_seconds = first_byte_seconds
        self._chance = chance
        self._on_retry = on_retry

    async def start(self) -> None:
        """Start the upstream."""
        await self._inner.start()

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._inner.aclose()

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Make the call, as often as it takes and is allowed; see Upstream."""
        started = asyncio.get_running_loop().time()
        try:
            reply = await self._inner.send(request)
        except (UpstreamUnavailable, UpstreamTimeout) as error:
            return await self._again(request, started, error)
        if reply.status in TRANSIENT_STATUSES:
            return await self._again(request, started, reply)
        return reply

    async def _again(
        self, request: UpstreamRequest, started: float, outcome: Outcome
    ) -> UpstreamReply:
        """Retry after the first call's outcome, and return or raise the last one's."""
        deadline = min(request.deadline, started + self.total_seconds)
        request = replace(request, deadline=deadline)
        rules = self._rules_for(request)
        made = 1
        while (wait := self._wait(rules, outcome, made, deadline)) is not None:
            self._on_retry(request.model, _kind(outcome))
            if isinstance(outcome, UpstreamReply):
                # Not read to its end: the next call takes another connection, which a balancer
                # may well give to another server.
                outcome.abandon()
            await self._chance.sleep(wait)
            outcome = await self._once(request)
            made += 1
        return _ended(outcome, made)

    def _rules_for(self, request: UpstreamRequest) -> RetryRules:
        count = request.header(b"x-stainless-retry-count")
        allowed = allowed_retries(self._rules.retries, count) if request.repeatable else 0
        return replace(self._rules, retries=allowed)

    async def _once(self, request: UpstreamRequest) -> Outcome:
        try:
            return await self._inner.send(request)
        except UpstreamError as error:
            return error

    def _wait(
        self, rules: RetryRules, outcome: Outcome, made: int, deadline: float
    ) -> float | None:
        """Return the seconds until the next call; None where this outcome is the last."""
        left = deadline - asyncio.get_running_loop().time()
        if isinstance(outcome, UpstreamReply):
            if outcome.status not in TRANSIENT_STATUSES:
                return None
            after_ms, after = outcome.header(b"retry-after-ms"), outcome.header(b"retry-after")
            asked = asked_wait(_text(after_ms), _text(after), self._chance.clock())
            forbidden = outcome.header(b"x-should-retry") == b"false"
            attempts = Attempts(made, left, asked, forbidden=forbidden)
        elif isinstance(outcome, UpstreamTimeout):
            # A silent upstream may be at work: only where it can have as long once more.
            attempts = Attempts(made, left, needs_s=self._first_byte_seconds)
        elif isinstance(outcome, UpstreamUnavailable):
            attempts = Attempts(made, left)
        else:
            return None
        wait = wait_before_retry(rules, attempts, self._chance.rng.random())
        return None if self._health.is_open else wait


def _ended(outcome: Outcome, made: int) -> UpstreamReply:
    """Return or raise the last outcome, marked where the client should not retry on top."""
    if isinstance(outcome, UpstreamError):
        if made > 1:
            outcome.forbid_retry()
        raise outcome
    if made > 1 and outcome.status in TRANSIENT_STATUSES:
        return outcome.final(made)
    return outcome if made == 1 else replace(outcome, calls=made)


def _kind(outcome: Outcome) -> str:
    """Return what is counted: a status, or an error's code."""
    if isinstance(outcome, UpstreamReply):
        return str(outcome.status)
    return outcome.code or "error"


def _text(value: bytes) -> str:
    return value.decode("latin-1")
