"""The exact tier: memory over the store, and every way in which there is nothing to serve."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet

from cachemw.errors import StoreUnavailable
from cachemw.exact import ExactTier, Miss, Resident
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from tests.support.service import Clock, policy_set
from tests.support.tiers import board, exact_tier

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
    def __init__(self, memory_bytes: int = 1 << 20, policies: PolicySet | None = None) -> None:
        self.clock = Clock(1000.0)
        self.store = CountingStore(self.clock, 1 << 20)
        self.lru: ByteLru[Resident] = ByteLru(memory_bytes)
        self.metrics = Metrics()
        self.state = DependencyState("store", self.metrics.store_up.set)
        self.categories = board(policies)
        self.tier = self.over(self.store)

    def over(self, store: MemoryStore) -> ExactTier:
        return exact_tier(
            store,
            self.clock,
            self.metrics,
            lru=self.lru,
            state=self.state,
            categories=self.categories,
        )


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

    world.tier = world.over(Slow(world.clock, 1))
    await world.tier.find(KEY)
    assert len(world.lru) == 0


async def test_forgetting_all_empties_memory() -> None:
    world = World()
    await world.tier.put(DOCUMENT)
    world.tier.forget_all()
    assert (len(world.lru), world.lru.bytes) == (0, 0)


FACTS = replace(DOCUMENT, category="facts", expires_at=9000.0)


def _facts(**policy: object) -> PolicySet:
    return policy_set(CategoryPolicy("facts", **policy))  # type: ignore[arg-type]


async def test_the_ttl_of_its_category_ends_it_before_the_store_does() -> None:
    world = World(policies=_facts(ttl=50.0))
    await world.tier.put(FACTS)
    world.clock.now = 1049.0
    assert isinstance(await world.tier.find(KEY), Resident)
    world.clock.now = 1050.0
    assert await world.tier.find(KEY) is Miss.TOO_OLD


async def test_under_load_it_is_served_for_longer_and_no_longer_when_that_is_over() -> None:
    world = World(policies=_facts(ttl=50.0, ttl_overload=150.0))
    await world.tier.put(FACTS)
    world.clock.now = 1080.0
    for load, servable in ((1.0, True), (0.5, True), (0.2, False), (0.0, False)):
        assert isinstance(await world.tier.find(KEY, load=load), Resident) == servable


async def test_what_may_no_longer_be_cached_is_not_served() -> None:
    world = World(policies=_facts(ttl=50.0))
    await world.tier.put(FACTS)
    assert isinstance(await world.tier.find(KEY), Resident)
    world.categories.use(_facts(ttl=50.0, allow_caching=False), None)
    assert await world.tier.find(KEY) is Miss.TOO_OLD


async def test_several_are_read_at_once_in_their_order_and_whatever_their_age() -> None:
    world = World()
    other = replace(DOCUMENT, key=b"o" * 32)
    await world.tier.put(other)
    await world.store.put(DOCUMENT)
    found = await world.tier.find_all([KEY, b"n" * 32, other.key])
    documents = [one.document if isinstance(one, Resident) else one for one in found]
    assert documents == [DOCUMENT, Miss.ABSENT, other]
    world.tier.forget_all()
    world.store.failing = frozenset({"get"})
    assert await world.tier.find_all([KEY]) == [Miss.UNKNOWN]
