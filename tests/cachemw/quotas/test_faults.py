"""Evictors on real stores: floods, two processes on one store, stores that fail in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from random import Random
from typing import Any

import pytest
from cachemw_policies.category import Quota
from cachemw_policies.quota import Amount

from cachemw.stores.base import ChangeKind, DocumentStore
from tests.cachemw.quotas.conftest import Clock, Join, Worker, document, key, policies
from tests.support import redis_server as servers

Open = Callable[..., Awaitable[DocumentStore]]

FLOOD = 20_000
AT_ONCE = 200
QUIET = policies(quiet=Quota(guaranteed=0.25))


@pytest.fixture
def own_server() -> Any:
    """Return a Redis server that the test may pause."""
    servers.need_redis()
    with servers.RedisServer() as server:
        yield server
        server.resume_if_paused()


@pytest.fixture(params=["sqlite", "redis"])
def opened(
    request: pytest.FixtureRequest, open_store: Open
) -> Callable[[str], Awaitable[DocumentStore]]:
    """Return an opener of one store, by the name of the process that opens it."""
    options = {}
    if request.param == "redis":
        options["url"] = request.getfixturevalue("redis_server").url

    async def opener(origin: str) -> DocumentStore:
        return await open_store(request.param, origin=origin, **options)

    return opener


async def follow(worker: Worker, cursor: str) -> str:
    """Apply what the change log says, as the feed would."""
    while True:
        batch = await worker.store.changes(cursor, 256)
        for change in batch.changes:
            if change.kind is ChangeKind.REMOVE:
                worker.follower.removed(change.keys)
            else:
                await worker.follower.put(change.keys)
        if not batch.changes:
            return batch.cursor
        cursor = batch.cursor


async def fill(worker: Worker, category: str, count: int, start: int = 0) -> None:
    """Store that many documents, many at once as requests would."""
    for first in range(start, start + count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, start + count))
        await asyncio.gather(*(worker.put(document(n, category)) for n in numbers))


async def test_a_flood_leaves_another_s_guarantee(
    opened: Callable[[str], Awaitable[DocumentStore]], join: Join
) -> None:
    worker = join(await opened("one"), Amount(2000, inf), QUIET, sizes_known=False)
    await fill(worker, "quiet", 400)
    for start in range(0, FLOOD, 5 * AT_ONCE):
        await fill(worker, "flood", 5 * AT_ONCE, start)
        await worker.step()
    held = await worker.held()
    assert held["quiet"] == 400
    assert held["flood"] <= 2000 - 400
    assert worker.heard.counted["flood", "quota"] == FLOOD - held["flood"]
    assert ("quiet", "quota") not in worker.heard.counted
    assert worker.ledger.totals() == {
        "quiet": Amount(400, worker.ledger.totals()["quiet"].size),
        "flood": Amount(held["flood"], worker.ledger.totals()["flood"].size),
    }


async def test_a_flood_of_bytes_stays_below_the_store_s_own_bound(
    open_store: Open, join: Join
) -> None:
    bound = 1 << 20
    worker = join(await open_store("sqlite", max_bytes=bound), Amount(inf, bound), QUIET)
    rng = Random(1)
    for number in range(60):
        await worker.put(document(number, "quiet", body=b'"' + rng.randbytes(2000).hex().encode()))
    cursor = await follow(worker, "")
    for start in range(0, 1000, 20):
        for number in range(start, start + 20):
            body = b'"' + rng.randbytes(1000).hex().encode()
            await worker.put(document(number, "flood", body=body))
        cursor = await follow(worker, cursor)
        await worker.step()
        assert (await worker.store.stats()).stored_bytes <= bound
    held = await worker.held()
    # Its own eviction takes the oldest: these would have gone first.
    assert held["quiet"] == 60
    assert worker.heard.counted["flood", "quota"] == 1000 - held["flood"]


async def test_of_two_processes_on_a_file_one_evicts(open_store: Open, join: Join) -> None:
    capacity = Amount(1000, inf)
    told = join(await open_store("sqlite", origin="one"), capacity)
    other = join(await open_store("sqlite", origin="two"), capacity, may_evict=False)
    cursors = [await follow(told, ""), await follow(other, "")]
    for start in range(0, 4000, 400):
        await fill(told, "a", 200, start)
        await fill(other, "a", 200, start + 200)
        cursors = [await follow(told, cursors[0]), await follow(other, cursors[1])]
        await asyncio.gather(told.step(), other.step())
    assert (await told.held())["a"] <= 970
    assert other.heard.counted == {}
    assert told.heard.counted["a", "quota"] == 4000 - (await told.held())["a"]
    await follow(other, cursors[1])
    await follow(told, cursors[0])
    assert other.ledger.totals() == told.ledger.totals()


async def test_of_two_replicas_on_redis_one_evicts_at_a_time(
    open_store: Open, join: Join, redis_server: servers.RedisServer
) -> None:
    one, two = [
        join(await open_store("redis", url=redis_server.url, origin=name), Amount(1000, inf))
        for name in ("one", "two")
    ]
    await fill(one, "a", 3000)
    await asyncio.gather(one.step(), two.step())
    assert await one.held() == {"a": 960}
    assert sum(w.heard.counted.get(("a", "quota"), 0) for w in (one, two)) == 2040
    # The lease was given back: the other may be next.
    await fill(two, "a", 500, 3000)
    await two.follower.fill()
    assert await two.step() == 500


async def test_a_redis_that_stops_in_the_middle(
    open_store: Open, join: Join, own_server: servers.RedisServer
) -> None:
    store = await open_store(
        "redis", url=own_server.url, timeout_s=0.2, write_timeout_s=0.5, breaker_s=0.05
    )
    worker = join(store, Amount(1000, inf))
    await fill(worker, "a", 3000)
    forget = worker.heard.forget

    async def stop_once(keys: Any) -> None:
        await forget(keys)
        own_server.pause()

    worker.heard.forget = stop_once  # type: ignore[method-assign]
    assert await worker.step() == 0
    assert not worker.state.is_up
    assert worker.heard.counted == {("a", "quota"): 256}
    own_server.resume()
    worker.heard.forget = forget  # type: ignore[method-assign]
    # The lease of the step that was cut off ends by itself.
    for _ in range(200):
        if await worker.step():
            break
        await asyncio.sleep(0.1)
    assert (await worker.held())["a"] == 960


async def test_a_redis_that_evicted_by_itself(
    open_store: Open, join: Join, redis_server: servers.RedisServer
) -> None:
    """What the ledger holds too much of is noticed before anything else goes."""
    store = await open_store("redis", url=redis_server.url)
    worker = join(store, Amount(inf, 360_000), sizes_known=False)
    await fill(worker, "a", 1000)
    await worker.step()
    for number in range(500):
        await store.delete(key(number))
    await fill(worker, "a", 1500, 1000)
    assert worker.ledger.held.size > 360_000
    assert await worker.step() == 0
    assert worker.ledger.held.entries == 2000


async def test_a_store_that_is_closed(open_store: Open, join: Join, clock: Clock) -> None:
    store = await open_store("sqlite")
    worker = join(store, Amount(100, inf))
    await fill(worker, "a", 150)
    await store.aclose()
    assert await worker.step() == 0
    assert not worker.state.is_up
    assert worker.heard.counted == {}
