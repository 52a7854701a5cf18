"""The exact tier: memory over the store, and every way in which there is nothing to serve."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from cachemw.errors import StoreUnavailable
from cachemw.exact import ExactTier, Miss, Resident
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from tests.support.service import Clock

KEY = b"k" * 32
DOCUMENT = Document(
    key=KEY,
    tenant="t",
    endpoint="chat.completions",
    model="m",
    created_at=1000.0,
    expires_at=1100.0,
    prompt="q",
    body=b'{"object":"x"}',
    upstream_seconds=1.0,
    prompt_tokens=1,
    completion_tokens=1,
)


class CountingStore(MemoryStore):
    """Counts reads; fails on demand, by operation."""

    gets = 0
    failing: frozenset[str] = frozenset()

    async def get(self, key: bytes) -> Document | None:
        self.gets += 1
        if "get" in self.failing:
            raise StoreUnavailable("away")
        return await super().get(key)

    async def put(self, document: Document) -> None:
        if "put" in self.failing:
            raise StoreUnavailable("full")
        await super().put(document)


class World:
    def __init__(self, memory_bytes: int = 1 << 20) -> None:
        self.clock = Clock(1000.0)
        self.store = CountingStore(self.clock, 1 << 20)
        self.lru: ByteLru[Resident] = ByteLru(memory_bytes)
        self.metrics = Metrics()
        self.state = DependencyState("store", self.metrics.store_up.set)
        self.tier = ExactTier(self.lru, self.store, self.state, self.metrics, self.clock)


async def test_nothing_there() -> None:
    assert await World().tier.find(KEY) is Miss.ABSENT


async def test_memory_answers_without_the_store() -> None:
    world = World()
    assert await world.tier.put(DOCUMENT)
    found = await world.tier.find(KEY)
    assert isinstance(found, Resident)
    assert (found.document, world.store.gets) == (DOCUMENT, 0)


async def test_what_memory_has_not_the_store_has_and_memory_then_keeps() -> None:
    world = World()
    await world.store.put(DOCUMENT)
    for _ in range(2):
        assert isinstance(await world.tier.find(KEY), Resident)
    assert world.store.gets == 1


async def test_an_expired_document_is_absent_and_leaves_memory() -> None:
    world = World()
    await world.tier.put(DOCUMENT)
    world.clock.now = 1100.0
    assert await world.tier.find(KEY) is Miss.ABSENT
    assert len(world.lru) == 0


async def test_one_too_old_for_this_client_alone_stays_for_others() -> None:
    world = World()
    await world.tier.put(DOCUMENT)
    world.clock.now = 1050.0
    assert await world.tier.find(KEY, max_age=40.0) is Miss.TOO_OLD
    assert isinstance(await world.tier.find(KEY, max_age=60.0), Resident)


async def test_a_store_that_cannot_be_asked_leaves_it_unknown() -> None:
    world = World()
    world.store.failing = frozenset({"get"})
    assert await world.tier.find(KEY) is Miss.UNKNOWN
    assert not world.state.is_up


async def test_memory_keeps_what_the_store_could_not() -> None:
    world = World()
    world.store.failing = frozenset({"put"})
    assert not await world.tier.put(DOCUMENT)
    assert isinstance(await world.tier.find(KEY), Resident)


async def test_a_store_that_reads_and_cannot_write_is_down_and_does_not_flap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(memory_bytes=0)
    world.store.failing = frozenset({"put"})
    for number in range(5):
        await world.tier.put(replace(DOCUMENT, key=b"%032d" % number))
        await world.tier.find(b"%032d" % number)
    assert not world.state.is_up
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == [
        "dependency failed"
    ]
    world.store.failing = frozenset()
    await world.tier.put(DOCUMENT)
    assert world.state.is_up


async def test_memory_is_bounded_with_what_surrounds_the_texts() -> None:
    world = World(memory_bytes=10_000)
    for number in range(50):
        await world.tier.put(replace(DOCUMENT, key=b"%032d" % number))
    assert 0 < world.lru.bytes <= 10_000
    assert 0 < len(world.lru) <= 5


async def test_what_is_forgotten_is_asked_of_the_store_again() -> None:
    world = World()
    await world.tier.put(DOCUMENT)
    newer = replace(DOCUMENT, body=b'{"object":"newer"}')
    await world.store.put(newer)
    world.tier.forget([KEY])
    found = await world.tier.find(KEY)
    assert isinstance(found, Resident)
    assert found.document == newer


async def test_what_is_removed_during_a_read_does_not_stay_in_memory() -> None:
    """The store has answered, the removal comes, and only then the reader goes on."""
    world = World()
    await world.store.put(DOCUMENT)

    class Slow(CountingStore):
        async def get(self, key: bytes) -> Document | None:
            document = await world.store.get(key)
            await world.store.delete(key)
            world.tier.forget([key])
            return document

    world.tier = ExactTier(world.lru, Slow(world.clock, 1), world.state, world.metrics, world.clock)
    await world.tier.find(KEY)
    assert len(world.lru) == 0


async def test_forgetting_all_empties_memory() -> None:
    world = World()
    await world.tier.put(DOCUMENT)
    world.tier.forget_all()
    assert (len(world.lru), world.lru.bytes) == (0, 0)
