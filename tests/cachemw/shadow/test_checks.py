"""Shadow checks and miss checks: when there is one, what it calls, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from cachemw_policies.answers import Outcome
from cachemw_policies.labels import Source

from cachemw.ask import Ask
from cachemw.errors import UpstreamUnavailable
from cachemw.flight import Flight, FlightHead, FlightReader, Flights, Piece
from cachemw.identity.budgets import Account, Budget
from cachemw.identity.caller import Caller
from cachemw.shadow.checks import (
    CheckSettings,
    Circumstances,
    Credentials,
    MissChecks,
    ShadowChecks,
    detached,
)
from cachemw.stores.base import Document
from tests.support.checks import FixedComparer, Noted, ask_for, scored
from tests.support.service import plain_of


class World:
    """Shadow checks over calls that a test describes."""

    def __init__(
        self,
        outcome: Outcome = Outcome.SAME,
        *,
        rate: float = 1.0,
        load: float = 0.0,
        own_key: bool = False,
        settings: CheckSettings | None = None,
        **noted: Any,
    ) -> None:
        self.noted = Noted(comparer=FixedComparer(outcome), **noted)
        self.flights = Flights(1 << 20, 1 << 20)
        self.asked: list[Ask] = []
        self.wrong: list[Document] = []
        self.gate: asyncio.Event | None = None
        self.failure: Exception | None = None
        self.head = FlightHead(200, [], b"application/json", is_stream=False)
        self.answer: dict[str, Any] | None = plain_of("fresh")
        self.checks = ShadowChecks(
            settings or CheckSettings(),
            self.noted.runner,
            self._begin,
            Circumstances(lambda _: rate, lambda _: load, lambda _: own_key),
            self._removed,
            Random(7),
        )

    def _begin(self, ask: Ask) -> FlightReader:
        self.asked.append(ask)
        return self.flights.lead(ask.key, self._call)

    async def _call(self, flight: Flight) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        flight.begin(self.head)
        await flight.append(Piece(b"x" * 10))
        flight.finish(self.answer)

    async def _removed(self, document: Document) -> None:
        self.wrong.append(document)

    async def check(self, ask: Ask) -> list[str]:
        """Consider a hit and see it to its end; returns what was counted."""
        self.checks.consider(ask, scored("served"))
        await self.noted.runner.drain(5.0)
        return self.noted.counts


async def test_a_served_hit_becomes_a_label() -> None:
    world = World()
    assert await world.check(await ask_for("q")) == ["same"]
    [label] = world.noted.labels
    assert (label.right, label.score, label.source) == (True, 0.98, Source.SHADOW)
    assert (label.category, label.scale, label.at) == ("facts", "scale-1", 5000.0)
    assert world.wrong == []
    assert world.noted.comparer.judged == [True]


async def test_a_wrong_hit_is_told_of_even_if_its_label_is_lost() -> None:
    def lost(_: object) -> None:
        raise OSError

    world = World(Outcome.DIFFERENT, on_label=lost)
    assert await world.check(await ask_for("q")) == ["failed"]
    assert world.wrong == [scored("served").document]


async def test_what_is_unsure_removes_nothing() -> None:
    world = World(Outcome.UNSURE)
    assert await world.check(await ask_for("q")) == ["unsure"]
    assert (world.noted.labels, world.wrong) == ([], [])


@pytest.mark.parametrize(
    ("changes", "headers", "counted"),
    [
        ({"rate": 0.0}, {}, []),
        ({}, {"cache_control": "no-store"}, ["not_wanted"]),
        ({}, {"cache_control": "only-if-cached"}, ["not_wanted"]),
        ({"load": 0.5}, {}, ["load"]),
        ({"per_minute": 0.0}, {}, ["over_budget"]),
        ({}, {"authorization": "Bearer sk-theirs"}, ["client_credentials"]),
        ({}, {"x_api_key": "theirs"}, ["client_credentials"]),
    ],
)
async def test_when_there_is_no_check(
    changes: dict[str, float], headers: dict[str, str], counted: list[str]
) -> None:
    world = World(**changes)  # type: ignore[arg-type]
    assert await world.check(await ask_for("q", **headers)) == counted
    assert world.asked == []


@pytest.mark.parametrize(
    "changes",
    [{"own_key": True}, {"settings": CheckSettings(credentials=Credentials.ANY)}],
)
async def test_credentials_that_may_be_used(changes: dict[str, Any]) -> None:
    world = World(**changes)
    assert await world.check(await ask_for("q", authorization="Bearer sk")) == ["same"]
    assert world.asked[0].request.headers[b"authorization"] == b"Bearer sk"


THEIRS = {"authorization": "Bearer sk-theirs"}


@pytest.mark.parametrize(
    ("changes", "headers", "withheld"),
    [
        ({}, THEIRS, True),
        ({}, {}, False),  # a check of our own costs nobody anything
        ({"own_key": True}, THEIRS, False),
        ({"rate": 0.0}, THEIRS, False),
        ({"load": 0.5}, THEIRS, False),
        ({}, {**THEIRS, "cache_control": "no-store"}, False),
        ({}, {**THEIRS, "cache_control": "only-if-cached"}, False),
        ({"settings": CheckSettings(credentials=Credentials.OWN, withheld=1.0)}, THEIRS, False),
        ({"settings": CheckSettings(credentials=Credentials.ANY, withheld=1.0)}, THEIRS, False),
        ({"settings": CheckSettings(withheld=0.0)}, THEIRS, False),
    ],
)
async def test_which_hits_are_asked_anew(
    changes: dict[str, Any], headers: dict[str, str], withheld: bool
) -> None:
    world = World(**{"settings": CheckSettings(withheld=1.0), **changes})
    ask = await ask_for("q", **headers)
    assert world.checks.withholds(ask, scored("near")) is withheld


async def test_no_more_than_their_share_is_asked_anew() -> None:
    world = World(settings=CheckSettings(withheld=0.25))
    ask = await ask_for("q", **THEIRS)
    count = sum(world.checks.withholds(ask, scored("near")) for _ in range(400))
    assert 70 <= count <= 130


async def test_a_fault_in_choosing_has_the_hit_served() -> None:
    world = World(settings=CheckSettings(withheld=1.0))
    world.checks._circumstances = Circumstances(lambda _: 1.0, lambda _: 1 / 0, lambda _: False)
    assert not world.checks.withholds(await ask_for("q", **THEIRS), scored("near"))
    assert world.noted.counts == ["failed"]


async def test_a_share_of_the_hits_is_checked() -> None:
    world = World(rate=0.25, in_flight=1000, per_minute=1000.0)
    ask = await ask_for("q")
    for _ in range(400):
        world.checks.consider(ask, scored("served"))
    await world.noted.runner.drain(5.0)
    assert 70 <= len(world.noted.labels) <= 130


async def test_the_client_is_not_waited_for() -> None:
    world = World()
    world.gate = asyncio.Event()
    world.checks.consider(await ask_for("q"), scored("served"))
    await asyncio.sleep(0.01)
    assert world.noted.counts == []
    world.gate.set()
    await world.noted.runner.drain(5.0)
    assert world.noted.counts == ["same"]


async def test_calls_that_fail_are_no_labels() -> None:
    world = World()
    world.failure = UpstreamUnavailable("down")
    assert await world.check(await ask_for("q")) == ["upstream_failed"]
    assert world.noted.changes == [True]  # the upstream has a state of its own


async def test_a_call_that_takes_too_long_is_given_up() -> None:
    world = World(settings=CheckSettings(seconds=0.01))
    world.gate = asyncio.Event()
    assert await world.check(await ask_for("q")) == ["failed"]
    assert world.noted.changes == [False]
    await world.flights.drain(0.0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda world: setattr(world, "answer", None),
        lambda world: setattr(world, "head", FlightHead(429, [], b"", is_stream=False)),
        lambda world: setattr(world, "head", FlightHead(200, [], b"", False, b"another's key")),
        lambda world: setattr(world, "flights", Flights(5, 1 << 20)),
    ],
    ids=["incomplete", "refused", "a fallback's", "too large"],
)
async def test_what_is_no_answer_of_the_model_is_no_label(spoil: Callable[[World], None]) -> None:
    world = World()
    spoil(world)
    assert await world.check(await ask_for("q")) == ["no_answer"]
    await world.flights.drain(5.0)
    assert world.flights.held == 0


async def test_a_fault_in_choosing_does_not_reach_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.checks._circumstances = Circumstances(lambda _: 1.0, lambda _: 1 / 0, lambda _: False)
    assert await world.check(await ask_for("q")) == ["failed"]
    assert "ZeroDivisionError" in str([vars(record) for record in caplog.records])


async def test_the_ask_is_checked_without_its_client() -> None:
    ask = await ask_for("q", x_team="a")
    tokens = Budget("tokens", 1000, asyncio.get_running_loop().time)
    ask.request.caller = Caller("name:team", Account(None, tokens))
    alone = detached(ask)
    assert (alone.key, alone.params, alone.directives) == (ask.key, ask.params, ask.directives)
    assert alone.request.header_list == ask.request.header_list
    assert alone.request.caller == Caller("name:team")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await alone.request.receive()


async def ignored(document: Document) -> None:
    raise AssertionError("only a hit can have been wrong")


async def test_a_withheld_hit_that_was_wrong_is_told_of() -> None:
    noted = Noted(source=Source.MISS, comparer=FixedComparer(Outcome.DIFFERENT))
    wrong: list[Document] = []

    async def on_wrong(document: Document) -> None:
        wrong.append(document)

    ask = await ask_for("q")
    ask.withheld = True
    MissChecks(noted.runner, on_wrong).consider(ask, scored("served"), plain_of("fetched"))
    await noted.runner.drain(5.0)
    assert wrong == [scored("served").document]
    assert noted.comparer.judged == [True]


async def test_a_candidate_that_was_not_served_is_compared() -> None:
    noted = Noted(source=Source.MISS, comparer=FixedComparer(Outcome.DIFFERENT))
    checks = MissChecks(noted.runner, ignored)
    checks.consider(await ask_for("q"), scored("candidate", 0.7), plain_of("fetched"))
    await noted.runner.drain(5.0)
    [label] = noted.labels
    assert (label.right, label.score, label.source) == (False, 0.7, Source.MISS)
    assert noted.comparer.judged == [False]


async def test_misses_that_are_not_compared() -> None:
    noted = Noted(source=Source.MISS, per_minute=1.0)
    checks = MissChecks(noted.runner, ignored)
    checks.consider(await ask_for("q"), scored("a"), None)
    checks.consider(await ask_for("q", cache_control="no-store"), scored("a"), plain_of("f"))
    assert len(noted.runner) == 0
    for _ in range(3):
        checks.consider(await ask_for("q"), scored("a"), plain_of("f"))
    await noted.runner.drain(5.0)
    assert noted.counts == ["same"]


async def test_a_judge_for_misses_is_asked_where_configured() -> None:
    noted = Noted(source=Source.MISS)
    MissChecks(noted.runner, ignored, judge=True).consider(
        await ask_for("q"), scored("a"), plain_of("f")
    )
    await noted.runner.drain(5.0)
    assert noted.comparer.judged == [True]
