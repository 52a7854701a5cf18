"""Labels from answers: served hits checked in the background, missed candidates for nothing.

A *shadow check* makes, for a sampled share of served semantic hits, the upstream call that a miss
would have made. Its answer is stored under the asker's own key like that of any miss and compared
with what was served. After a *miss* whose best candidate was scored and not served, the answer
that was fetched anyway is compared with that candidate.

Neither delays or changes a reply: both run as tasks of their own, and whatever fails is no label.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from random import Random
from typing import Any

from cachemw_policies.answers import Outcome

from cachemw.ask import Ask, Scored
from cachemw.endpoints.base import Json
from cachemw.errors import UpstreamError
from cachemw.flight import FlightReader
from cachemw.http.messages import HttpRequest
from cachemw.identity.caller import Caller
from cachemw.shadow.runner import CheckRunner
from cachemw.stores.base import Document
from cachemw.upstreams.headers import CREDENTIALS

OnWrong = Callable[[Document], Awaitable[None]]


class Credentials(StrEnum):
    """Whose money a shadow check may spend."""

    OWN = "own"  # not a client's: only where we have a key of our own, or none is sent
    ANY = "any"  # a client's too: a checked hit costs it what a miss would have
    WITHHOLD = "withhold"  # a client's once: a hit that is checked is not served but asked anew


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """From the pressure `max_load`, in [0, 1], on nothing is checked; `seconds` bound a check.

    At most `withheld` of hits are asked anew where that spends a client's money.
    """

    credentials: Credentials = Credentials.WITHHOLD
    max_load: float = 0.5
    seconds: float = 600.0
    withheld: float = 0.02


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a shadow check depends on.

    `rate`: the share of a category's hits to check, in [0, 1]. `load`: the pressure on the ask's
    upstream, in [0, 1]. `own_key`: whether the upstream of that name gets a key of our own.
    """

    rate: Callable[[str], float]
    load: Callable[[Ask], float]
    own_key: Callable[[str], bool]


class ShadowChecks:
    """Checks served hits."""

    def __init__(
        self,
        settings: CheckSettings,
        runner: CheckRunner,
        begin: Callable[[Ask], FlightReader],
        circumstances: Circumstances,
        on_wrong: OnWrong,
        rng: Random,
    ) -> None:
        """Check hits.

        Args:
            settings: see there.
            runner: runs the checks, with the source SHADOW.
            begin: makes the call of a miss, or joins it where one is under way.
            circumstances: see there.
            on_wrong: takes the document of a hit that should not have been served.
            rng: chooses the hits.
        """
        self._settings = settings
        self._runner = runner
        self._begin = begin
        self._circumstances = circumstances
        self._on_wrong = on_wrong
        self._rng = rng

    def consider(self, ask: Ask, served: Scored) -> None:
        """Check a hit that was served, if chance, the client's wishes and the budget have it so.

        Returns at once and raises nothing.
        """
        try:
            reason = self._why_not(ask, served)
        except Exception as error:  # noqa: BLE001 - the client has its answer
            self._runner.failed(error)
            return
        if reason is not None:
            if reason:
                self._runner.count(reason)
        elif not self._runner.start(partial(self._check, detached(ask), served)):
            self._runner.count("over_budget")

    def withholds(self, ask: Ask, near: Scored) -> bool:
        """Whether a hit is not to be served but asked anew, and compared like a miss.

        Where a check would spend the client's money it is paid once that way. Raises nothing.
        """
        settings = self._settings
        try:
            if settings.credentials is not Credentials.WITHHOLD or not self._spends_clients(ask):
                return False
            if self._unwanted(ask) or self._circumstances.load(ask) >= settings.max_load:
                return False
            rate = min(settings.withheld, self._circumstances.rate(near.category))
            return self._rng.random() < rate
        except Exception as error:  # noqa: BLE001 - then it is served
            self._runner.failed(error)
            return False

    def _why_not(self, ask: Ask, served: Scored) -> str | None:
        """Return why a hit is not checked; empty where it was merely not chosen."""
        around = self._circumstances
        if self._rng.random() >= around.rate(served.category):
            return ""
        if self._unwanted(ask):
            return "not_wanted"
        if self._settings.credentials is not Credentials.ANY and self._spends_clients(ask):
            return "client_credentials"
        return "load" if around.load(ask) >= self._settings.max_load else None

    def _unwanted(self, ask: Ask) -> bool:
        # The one wants nothing kept of its contents, the other no call made for it.
        return not ask.directives.store or ask.directives.only_if_cached

    def _spends_clients(self, ask: Ask) -> bool:
        presented = not CREDENTIALS.isdisjoint(ask.request.headers)
        return presented and not self._circumstances.own_key(ask.route.backend.upstream.name)

    async def _check(self, ask: Ask, served: Scored) -> str:
        reader = self._begin(ask)
        try:
            async with asyncio.timeout(self._settings.seconds):
                fresh = await _answer(ask, reader)
        except UpstreamError:
            return "upstream_failed"
        finally:
            reader.close()
        if fresh is None:
            return "no_answer"
        outcome = await self._runner.compared(ask, served, fresh, judge=True)
        if outcome is Outcome.DIFFERENT:
            await self._on_wrong(served.document)
        return self._runner.labelled(served, outcome)


class MissChecks:
    """Compares candidates that were scored and not served with the answers fetched instead.

    A judge is paid for every time, so it is asked only where `judge` says so.
    """

    def __init__(self, runner: CheckRunner, on_wrong: OnWrong, *, judge: bool = False) -> None:
        """Compare, by a runner with the source MISS; `on_wrong` as for shadow checks."""
        self._runner = runner
        self._on_wrong = on_wrong
        self._judge = judge

    def consider(self, ask: Ask, candidate: Scored, fetched: Json | None) -> None:
        """Compare, if there is an answer and room for it; past the budget nothing is counted.

        Returns at once and raises nothing. `fetched` is the answer of the model that was asked
        for, not that of a fallback.
        """
        if fetched is not None and ask.directives.store:
            self._runner.start(partial(self._check, ask, candidate, fetched))

    async def _check(self, ask: Ask, candidate: Scored, fetched: Json) -> str:
        # A hit that was withheld is checked as one that was served is.
        judge = self._judge or ask.withheld
        outcome = await self._runner.compared(ask, candidate, fetched, judge=judge)
        if ask.withheld and outcome is Outcome.DIFFERENT:
            await self._on_wrong(candidate.document)
        return self._runner.labelled(candidate, outcome)


def detached(ask: Ask) -> Ask:
    """Return the ask without its client: nobody to hang up, no budget of the client's to charge.

    With our own key the call is our doing; with the client's it is charged where the key is from.
    """
    request = ask.request
    alone = HttpRequest(
        request.method,
        request.path,
        request.query,
        list(request.header_list),
        dict(request.headers),
        _nobody,
        Caller(request.caller.tenant),
    )
    return replace(ask, request=alone)


async def _nobody() -> dict[str, Any]:
    """Wait for ever: there is no client that could send anything."""
    await asyncio.get_running_loop().create_future()
    return {}


async def _answer(ask: Ask, reader: FlightReader) -> Json | None:
    """Return the whole answer of the model that was asked for, None where there is none."""
    head = await reader.head()
    await reader.settled()
    flight = reader.flight
    if flight.sealed or head.status != 200 or head.key not in (b"", ask.key):
        return None  # too large, an error, or another model's
    return flight.answer
