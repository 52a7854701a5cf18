from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from math import inf

import pytest
from cachemw_policies.category import Quota
from cachemw_policies.quota import Amount

from cachemw.errors import StoreUnavailable
from cachemw.stores.leases import Lease, Leases, NoLease
from cachemw.stores.memory import MemoryStore
from tests.cachemw.quotas.conftest import Clock, Join, document, key, policies

HUNDRED = Amount(100, inf)


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock, 1 << 30)


async def test_nothing_goes_before_the_mark(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED)
    for number in range(97):
        await worker.put(document(number))
    assert await worker.step() == 0
    assert await worker.held() == {"a": 97}


async def test_the_least_valuable_go(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED)
    for number in range(110):
        await worker.put(document(number), saved=float(number + 1))
    for number in range(5):
        for _ in range(200):
            worker.ledger.hit(key(number))
    assert await worker.step() == 14
    assert worker.heard.forgotten == [key(number) for number in range(5, 19)]
    assert worker.heard.counted == {("a", "quota"): 14}
    assert worker.ledger.held.entries == (await store.stats()).entries == 96


async def test_who_floods_pays(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED, policies(quiet=Quota(guaranteed=0.3)))
    for number in range(25):
        await worker.put(document(number, "quiet"), saved=0.001)
    for number in range(500):
        await worker.put(document(number, "flood"), saved=1000.0)
        await worker.step()
    assert (await worker.held())["quiet"] == 25
    assert set(worker.heard.counted) == {("flood", "quota")}


async def test_a_cap_holds_in_a_store_that_is_not_full(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED, policies(capped=Quota(cap=0.1)))
    for number in range(30):
        await worker.put(document(number, "capped"))
        await worker.put(document(number, "other"))
    await worker.step()
    assert await worker.held() == {"capped": 9, "other": 30}


async def test_what_has_expired_goes_first(store: MemoryStore, join: Join, clock: Clock) -> None:
    worker = join(store, HUNDRED)
    for number in range(60):
        await worker.put(document(number, "old", expires_at=clock.now + 1))
        await worker.put(document(number, "new"))
    clock.now += 2
    assert await worker.step() == 0
    assert worker.heard.counted == {("default", "expired"): 60}
    assert await worker.held() == {"new": 60}


async def test_only_who_may_evicts(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED, may_evict=False)
    for number in range(150):
        await worker.put(document(number))
    assert await worker.step() == 0
    assert await worker.held() == {"a": 150}


async def test_what_was_there_before_is_known(store: MemoryStore, join: Join) -> None:
    for number in range(150):
        await store.put(document(number))
    worker = join(store, HUNDRED)
    assert await worker.step() == 54
    assert await worker.held() == {"a": 96}


async def test_a_ledger_that_missed_something_is_filled_anew(
    store: MemoryStore, join: Join
) -> None:
    worker = join(store, Amount(1000, inf))
    for number in range(500):
        await worker.put(document(number, "known"))
    await worker.step()
    for number in range(600):
        await store.put(document(number, "unheard of"))
    assert 140 <= await worker.step() <= 141
    # By shares of both, and not all from what was known.
    held = await worker.held()
    assert min(held.values()) > 350


class Held(Leases):
    """A lease that others hold, or that ends after so many renewals."""

    def __init__(self, renewals: int | None) -> None:
        self._renewals = renewals
        self.released = 0

    async def take(self, key: bytes) -> Lease | None:
        return None if self._renewals is None else Ending(self, self._renewals)

    async def held(self, key: bytes) -> bool:
        return self._renewals is None


class Ending(NoLease):
    def __init__(self, leases: Held, renewals: int) -> None:
        self._leases = leases
        self._left = renewals

    async def renew(self) -> bool:
        self._left -= 1
        return self._left >= 0

    async def release(self) -> None:
        self._leases.released += 1
        raise StoreUnavailable("gone by itself")


class Troubled(MemoryStore):
    """Fails where it is told to, after so many batches."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, 1 << 30)
        self.works = 10**6
        self.other_leases: Leases | None = None

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        self.works -= 1
        if self.works < 0:
            raise StoreUnavailable("away")
        return await super().delete_many(keys)

    def leases(self, seconds: float) -> Leases:
        return self.other_leases or super().leases(seconds)


async def test_one_process_evicts_at_a_time(clock: Clock, join: Join) -> None:
    store = Troubled(clock)
    store.other_leases = Held(None)
    worker = join(store, HUNDRED)
    for number in range(150):
        await worker.put(document(number))
    assert await worker.step() == 0
    assert worker.state.is_up


async def test_who_loses_the_lease_stops(clock: Clock, join: Join) -> None:
    store = Troubled(clock)
    leases = store.other_leases = Held(2)
    worker = join(store, Amount(1000, inf))
    for number in range(2000):
        await worker.put(document(number))
    assert await worker.step() == 512
    assert leases.released == 1


async def test_a_failure_in_the_middle_leaves_what_was_done(
    clock: Clock, join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    store = Troubled(clock)
    worker = join(store, Amount(1000, inf))
    for number in range(2000):
        await worker.put(document(number))
    store.works = 2
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await worker.step() == 0
    assert len([r for r in caplog.records if r.message == "dependency failed"]) == 1
    assert worker.heard.counted == {("a", "quota"): 512}
    assert len(worker.heard.forgotten) == 512
    assert worker.ledger.held.entries == (await store.stats()).entries == 1488
    store.works = 10**6
    assert await worker.step() == 528
    assert worker.state.is_up


async def test_it_works_as_soon_as_the_store_gets_full(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED)
    running = asyncio.create_task(worker.evictor.run(3600))
    for number in range(98):
        await worker.put(document(number))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if (await store.stats()).entries == 96:
            break
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await worker.held() == {"a": 96}


async def test_the_view_says_who_holds_what_and_could(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED, policies(a=Quota(guaranteed=0.5), b=Quota(cap=0.25)))
    for number in range(10):
        await worker.put(document(number, "a"))
        await worker.put(document(number, "c"))
    view = worker.evictor.view()
    assert set(view) == {"default", "a", "b", "c"}
    assert view["a"].held.entries == 10
    assert view["a"].share == pytest.approx(0.1)
    assert view["a"].entitled.entries == pytest.approx(86)
    assert view["b"].held.entries == 0
    assert view["b"].entitled.entries == pytest.approx(24)


async def test_what_a_flood_has_left_gives_way(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED)
    for number in range(300):
        await worker.put(document(number, "flood"), saved=1000.0)
        await worker.step()
    for _ in range(20):
        for number in range(80):
            await worker.put(document(number, "steady"))
            worker.ledger.hit(key(number, "steady"))
            await worker.step()
    assert (await worker.held())["steady"] == 80


async def test_an_unforeseen_failure_is_one_too(store: MemoryStore, join: Join) -> None:
    worker = join(store, HUNDRED)
    for number in range(110):
        await worker.put(document(number))

    async def forget(keys: Sequence[bytes]) -> None:
        raise ValueError("unforeseen")

    worker.heard.forget = forget  # type: ignore[method-assign]
    assert await worker.step() == 0
    assert not worker.state.is_up
    assert worker.heard.counted == {("a", "quota"): 14}
    assert worker.ledger.held.entries == (await store.stats()).entries
