"""Single-flight across processes: who calls, who waits, and what ends the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from cachemw.ask import Ask
from cachemw.directives import Directives
from cachemw.endpoints.table import endpoints
from cachemw.errors import StoreUnavailable, UpstreamUnavailable
from cachemw.flight import Flight, FlightHead, FlightMemory, Piece
from cachemw.metrics import Metrics
from cachemw.replay import Replayer, ReplaySettings
from cachemw.shared import SharedCall, SharedSettings
from cachemw.states import DependencyState
from cachemw.stores.base import Document
from cachemw.stores.leases import Lease, Leases
from cachemw.stores.memory import MemoryStore
from tests.support.service import Clock, plain_of
from tests.support.tiers import board, exact_tier

KEY = b"k" * 32


class FakeLease(Lease):
    def __init__(self, owner: FakeLeases, key: bytes) -> None:
        self._owner = owner
        self._key = key

    async def renew(self) -> bool:
        self._owner.renewed.set()
        return True

    async def release(self) -> None:
        self._owner.taken.discard(self._key)


class FakeLeases(Leases):
    """What all processes share; `away` for a store that does not answer."""

    def __init__(self) -> None:
        self.taken: set[bytes] = set()
        self.away = False
        self.renewed = asyncio.Event()

    async def take(self, key: bytes) -> Lease | None:
        if self.away:
            raise StoreUnavailable("away")
        if key in self.taken:
            return None
        self.taken.add(key)
        return FakeLease(self, key)

    async def held(self, key: bytes) -> bool:
        return key in self.taken


class Caller:
    """The upstream side: counts its calls, answers when told, stores or fails."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.calls = 0
        self.answer = asyncio.Event()
        self.fails = False

    async def fetch(self, ask: Ask, flight: Flight) -> None:
        self.calls += 1
        await self.answer.wait()
        if self.fails:
            raise UpstreamUnavailable("down")
        flight.begin(FlightHead(200, [], b"application/json", is_stream=False))
        await flight.append(Piece(b"from upstream"))
        flight.finish(plain_of("from upstream"))
        await self._world.stored(ask)


class World:
    """Two processes on one store and one set of leases."""

    def __init__(self, max_wait: float = 30.0) -> None:
        self.clock = Clock(1000.0)
        self.store = MemoryStore(self.clock, 1 << 20)
        self.leases = FakeLeases()
        self.metrics = Metrics()
        self.caller = Caller(self)
        self.state = DependencyState("leases")
        categories = board()
        exact = exact_tier(self.store, self.clock, self.metrics, categories=categories)
        replayer = Replayer(
            ReplaySettings(),
            self.metrics,
            clock=self.clock,
            rng=cast("Any", FixedRandom()),
            age_of=categories.freshness,
        )
        self.shared = SharedCall(
            SharedSettings(max_wait=max_wait, renew=0.005),
            self.caller,
            self.leases,
            exact,
            replayer,
            self.metrics,
            self.state,
        )

    def start(self, **directives: Any) -> tuple[Flight, asyncio.Task[None]]:
        """Begin a call as one process would."""
        flight = Flight(1 << 20, FlightMemory(1 << 20))
        asked = ask(Directives(**directives))
        return flight, asyncio.create_task(self.shared.fetch(asked, flight))

    async def stored(self, asked: Ask) -> None:
        body = asked.endpoint.pack(plain_of("from upstream"))
        await self.store.put(
            Document(
                key=asked.key,
                tenant="t",
                endpoint=asked.endpoint.name,
                model="m",
                created_at=self.clock(),
                expires_at=self.clock() + 60,
                prompt="",
                body=body,
                upstream_seconds=1.0,
                prompt_tokens=1,
                completion_tokens=1,
            )
        )

    def outcome(self, name: str) -> float:
        self.metrics.fold()
        value = self.metrics.registry.get_sample_value(
            "cachemw_singleflight_remote_total", {"outcome": name}
        )
        return value or 0.0


class FixedRandom:
    def getrandbits(self, bits: int) -> int:
        return bits


def ask(directives: Directives) -> Ask:
    endpoint = next(iter(endpoints().values()))
    return cast(
        "Ask",
        type(
            "AskStub",
            (),
            {"key": KEY, "directives": directives, "endpoint": endpoint, "max_age": None},
        )(),
    )


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise TimeoutError


async def test_the_second_process_waits_for_the_first_ones_answer() -> None:
    world = World()
    _, first = world.start()
    await until(lambda: world.caller.calls == 1)
    flight, second = world.start()
    await asyncio.sleep(0.05)
    assert not second.done()
    world.caller.answer.set()
    await asyncio.gather(first, second)
    assert world.caller.calls == 1
    assert flight.collapsed
    assert flight.stored
    assert b"from upstream" in flight.pieces[0].data
    assert flight.answer is not None
    assert (world.outcome("answered"), world.leases.taken) == (1.0, set())


async def test_a_call_that_fails_is_made_anew_by_who_waited() -> None:
    world = World()
    _, first = world.start()
    await until(lambda: world.caller.calls == 1)
    flight, second = world.start()
    world.caller.fails = True
    world.caller.answer.set()
    with pytest.raises(UpstreamUnavailable):
        await first
    world.caller.fails = False
    await second
    assert world.caller.calls == 2
    assert not flight.collapsed
    assert (world.outcome("called"), world.leases.taken) == (1.0, set())


async def test_a_process_that_died_is_not_waited_for_beyond_its_lease() -> None:
    world = World()
    world.leases.taken.add(KEY)  # by a process that is gone
    _, second = world.start()
    await asyncio.sleep(0.02)
    assert world.caller.calls == 0
    world.leases.taken.discard(KEY)  # its time is over
    world.caller.answer.set()
    await second
    assert world.caller.calls == 1


async def test_the_wait_is_bounded() -> None:
    world = World(max_wait=0.05)
    world.leases.taken.add(KEY)
    world.caller.answer.set()
    _, second = world.start()
    await second
    assert world.caller.calls == 1
    assert world.leases.taken == {KEY}  # not ours to give back


async def test_without_leases_everybody_calls(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.leases.away = True
    world.caller.answer.set()
    for _ in range(3):
        _, task = world.start()
        await task
    assert world.caller.calls == 3
    assert not world.state.is_up
    assert len([r for r in caplog.records if r.name == "cachemw.state"]) == 1


async def test_leases_that_go_away_during_a_wait_end_it() -> None:
    world = World()
    world.leases.taken.add(KEY)
    world.caller.answer.set()
    _, task = world.start()
    await asyncio.sleep(0.01)
    world.leases.away = True
    await task
    assert world.caller.calls == 1


@pytest.mark.parametrize("directives", [{"read": False}, {"store": False}])
async def test_what_is_not_to_be_shared_is_not(directives: dict[str, bool]) -> None:
    world = World()
    world.leases.taken.add(KEY)
    world.caller.answer.set()
    _, task = world.start(**directives)
    await task
    assert world.caller.calls == 1


async def test_a_long_call_keeps_its_lease() -> None:
    world = World()
    _, task = world.start()
    await asyncio.wait_for(world.leases.renewed.wait(), 30)
    world.caller.answer.set()
    await task
