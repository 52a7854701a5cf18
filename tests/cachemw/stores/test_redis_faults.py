"""Redis killed, paused, restarted or away: what a request pays, and that no answer is another's."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document
from cachemw.stores.redis_store import RedisStore
from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer, need_redis

Make = Callable[..., Document]
Open = Callable[..., Any]

FAILURES = 3
QUICK: dict[str, Any] = {"timeout_s": 0.25, "breaker_failures": FAILURES, "breaker_s": 0.1}


def key_of(number: int) -> bytes:
    """Return a key as the service makes them, evenly spread over the shards."""
    return hashlib.sha256(str(number).encode()).digest()


class Tally:
    """Counts, and can be waited for."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[tuple[int, asyncio.Event]] = []

    def add(self) -> None:
        self._count += 1
        for wanted, reached in self._waiting:
            if self._count >= wanted:
                reached.set()

    async def more(self, number: int) -> None:
        reached = asyncio.Event()
        self._waiting.append((self._count + number, reached))
        await reached.wait()


async def unavailable(store: RedisStore, key: bytes) -> bool:
    try:
        await store.get(key)
    except StoreUnavailable:
        return True
    return False


async def test_killed_and_restarted_it_comes_back_by_itself(
    own_server: RedisServer, open_redis_at: Open, make_document: Make
) -> None:
    store = await open_redis_at(own_server.url, **QUICK)
    cursor = await store.newest()
    await store.put(make_document(1))
    own_server.kill()
    for _ in range(FAILURES):
        assert await unavailable(store, make_document(1).key)
    own_server.start()

    async def available() -> bool:
        return bool(store._servers._node.available)

    # Without traffic: the probe alone finds it.
    await eventually(available)
    assert await store.get(make_document(1).key) is None
    assert (await store.changes(cursor, 10)).complete is False
    # Redis has forgotten the scripts too.
    await store.put(make_document(2))
    assert await store.get(make_document(2).key) == make_document(2)


async def test_restart_without_traffic_costs_no_lookup(
    own_server: RedisServer, open_redis_at: Open, make_document: Make
) -> None:
    store = await open_redis_at(own_server.url, **QUICK | {"timeout_s": 20.0})
    await asyncio.gather(*(store.get(key_of(number)) for number in range(30)))
    own_server.kill()
    own_server.start()
    found = await asyncio.gather(*(store.get(key_of(number)) for number in range(30)))
    assert found == [None] * 30


async def test_while_paused_only_the_first_requests_wait(
    own_server: RedisServer, open_redis_at: Open, make_document: Make
) -> None:
    limit = 1.0
    store = await open_redis_at(own_server.url, **QUICK | {"timeout_s": limit, "breaker_s": 60.0})
    document = make_document(1)
    await store.put(document)
    own_server.pause()
    waits = []
    for _ in range(20):
        began = time.perf_counter()
        assert await unavailable(store, document.key)
        waits.append(time.perf_counter() - began)
    assert sum(wait > limit / 2 for wait in waits) == FAILURES
    with pytest.raises(StoreUnavailable):
        await store.put(document)


async def test_after_a_pause_every_answer_belongs_to_its_key(
    own_server: RedisServer, open_redis_at: Open, make_document: Make
) -> None:
    """Late replies to lookups that timed out must not become replies to others."""
    # A breaker that never opens: connections are used again at once, which is the danger.
    store = await open_redis_at(
        own_server.url, timeout_s=0.05, breaker_failures=1_000_000, connections=8
    )
    documents = {key_of(n): make_document(n, key=key_of(n)) for n in range(64)}
    await asyncio.gather(*map(store.put, documents.values()))
    right, failed = Tally(), Tally()

    async def ask(number: int) -> None:
        while True:
            key = key_of(number % 64)
            number += 7
            try:
                found = await store.get(key)
            except StoreUnavailable:
                failed.add()
            else:
                assert found == documents[key]
                right.add()

    tasks = [asyncio.create_task(ask(number)) for number in range(24)]
    async with asyncio.timeout(60):
        for _ in range(4):
            own_server.pause()
            await failed.more(40)
            own_server.resume()
            await right.more(100)
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}


async def test_cancelled_lookups_leave_no_reply_behind(
    own_server: RedisServer, open_redis_at: Open, make_document: Make
) -> None:
    store = await open_redis_at(own_server.url, connections=2)
    documents = {key_of(n): make_document(n, key=key_of(n)) for n in range(20)}
    for document in documents.values():
        await store.put(document)
    for _ in range(10):
        own_server.pause()
        tasks = [asyncio.create_task(store.get(key)) for key in list(documents)[:6]]
        await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        own_server.resume()
        found = await asyncio.gather(*(store.get(key) for key in documents))
        assert found == list(documents.values())


async def test_starts_without_redis_and_finds_it_later(
    open_redis_at: Open, make_document: Make
) -> None:
    need_redis()
    server = RedisServer()
    stores: list[RedisStore] = []
    with pytest.raises(StoreUnavailable):
        await open_redis_at(server.url, **QUICK, opened=stores.append)
    (store,) = stores
    assert await unavailable(store, key_of(1))

    async def available() -> bool:
        return not await unavailable(store, key_of(1))

    with server:
        await eventually(available)
        await store.put(make_document(1))
        assert await store.get(make_document(1).key) == make_document(1)


async def test_the_queue_is_bounded(own_server: RedisServer, open_redis_at: Open) -> None:
    store = await open_redis_at(own_server.url, queue_limit=5, connections=2, timeout_s=60.0)
    own_server.pause()
    waiting = [asyncio.create_task(store.get(key_of(n))) for n in range(5)]
    await asyncio.sleep(0.01)
    with pytest.raises(StoreUnavailable, match="5 operations wait"):
        await store.get(key_of(9))
    own_server.resume()
    assert await asyncio.gather(*waiting) == [None] * 5


async def test_closing_finishes_what_was_accepted(
    open_redis: Open, redis_server: RedisServer, make_document: Make
) -> None:
    store = await open_redis(connections=2)
    redis_server.ask("script", "flush")  # so that every write takes a second exchange
    documents = [make_document(number) for number in range(50)]
    puts = [asyncio.create_task(store.put(document)) for document in documents]
    await asyncio.sleep(0)
    await store.aclose()
    await asyncio.gather(*puts)
    with pytest.raises(StoreUnavailable):
        await store.get(documents[0].key)
    again = await open_redis()
    assert await again.get_many([document.key for document in documents]) == documents
