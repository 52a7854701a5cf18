"""What only the Redis store does; what all stores do is in the shared suite."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.base import ChangeKind, Document, Embedded
from cachemw.stores.redis_layout import Layout, shard_of
from cachemw.stores.redis_store import RedisStore
from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer, need_redis
from tests.support.turns import TurnCounter

Make = Callable[..., Document]
Open = Callable[..., Any]


def key_of(number: int) -> bytes:
    """Return a key as the service makes them, evenly spread over the shards."""
    return hashlib.sha256(str(number).encode()).digest()


def layout(store: RedisStore) -> Layout:
    return store._layout


@pytest.fixture
async def counted(redis_server: RedisServer) -> AsyncIterator[TurnCounter]:
    async with TurnCounter(redis_server.port) as proxy:
        yield proxy


async def test_one_round_trip_for_every_lookup_and_write(
    open_redis_at: Open, counted: TurnCounter, make_document: Make, make_embedded: Make
) -> None:
    url = f"redis://127.0.0.1:{counted.port}"
    store = await open_redis_at(url, connections=1)
    documents = [make_document(n, key=key_of(n), embedded=make_embedded(n)) for n in range(300)]
    await store.put(documents[0])  # brings the script
    await store.delete(documents[0].key)
    cursor = await store.newest()

    async def turns(work: Any) -> int:
        before = counted.turns
        await work
        return counted.turns - before

    assert await turns(store.put(documents[0])) == 1
    assert await turns(store.get(documents[0].key)) == 1
    assert await turns(store.get(key_of(-1))) == 1
    assert await turns(store.get_many([document.key for document in documents[:64]])) == 1
    assert await turns(store.rows_of([document.key for document in documents[:256]], "m")) == 1
    assert await turns(store.changes(cursor, 100)) == 1
    assert await turns(store.stats()) == 2
    assert await turns(store.delete(documents[0].key)) == 1
    assert await turns(store.delete_many([document.key for document in documents[:256]])) == 1
    # A document that takes many packets.
    assert await turns(store.put(make_document(1, body=bytes(range(256)) * 2000))) == 1


async def test_documents_end_by_themselves(open_redis: Open, make_document: Make) -> None:
    store = await open_redis()
    document = make_document(1, expires_at=store._clock() + 2)
    await store.put(document)
    assert await store.get(document.key) == document
    (left,) = await store._servers.run_everywhere(
        ("PTTL", layout(store).document(document.key)), _soon()
    )
    assert 0 < left <= 2000
    # Its own clock stands still, so that only Redis can have removed it.

    async def gone() -> bool:
        return await store.get(document.key) is None

    await eventually(gone)


async def test_time_to_live_does_not_depend_on_the_clock_of_redis(
    open_redis: Open, make_document: Make, clock: Any
) -> None:
    store = await open_redis()
    for now in (time.time() - 5e7, time.time() + 5e7):
        clock.now = now
        document = make_document(1, created_at=now, expires_at=now + 3600)
        await store.put(document)
        assert await store.get(document.key) == document


@pytest.mark.parametrize("expires_at", [float("inf"), 1e300, -float("inf"), -1e300, 0.0])
async def test_ends_beyond_any_clock(
    open_redis: Open, make_document: Make, expires_at: float, clock: Any
) -> None:
    store = await open_redis()
    document = make_document(1, expires_at=expires_at)
    await store.put(document)
    live = [document] if expires_at > clock.now else []
    assert await store.get_many([document.key]) == live
    assert [e.expires_at async for b in store.entries() for e in b] == [d.expires_at for d in live]
    assert (await store.stats()).entries == len(live)


async def test_sweep_counts_what_has_ended_once(
    open_redis: Open, make_document: Make, clock: Any
) -> None:
    stores = [await open_redis() for _ in range(3)]
    for number in range(700):
        ends = clock.now + (3600 if number < 10 else 900)
        await stores[0].put(make_document(number, expires_at=ends))
    for number in range(10, 300):  # other shards
        await stores[0].put(make_document(key=key_of(number), expires_at=clock.now + 900))
    clock.now += 900
    removed = await asyncio.gather(*(store.remove_expired() for store in stores))
    assert sum(removed) == 690 + 290
    assert await stores[1].remove_expired() == 0
    assert (await stores[2].stats()).entries == 10
    assert len(await stores[2].get_many([make_document(n).key for n in range(10)])) == 10


async def test_evicted_documents_are_absent_and_leave_the_index(
    open_redis: Open, redis_server: RedisServer, make_document: Make, make_embedded: Make
) -> None:
    store = await open_redis()
    for number in range(5):
        await store.put(make_document(number, embedded=make_embedded(number)))
    evicted = make_document(2).key
    redis_server.ask("del", layout(store).document(evicted).decode())
    assert await store.get(evicted) is None
    assert (await store.stats()).entries == 5
    expected = {make_document(number).key for number in (0, 1, 3, 4)}
    assert {e.key async for batch in store.entries() for e in batch} == expected
    assert (await store.stats()).entries == 4
    assert {r.key async for batch in store.index_rows("minilm-1") for r in batch} == expected


@pytest.mark.parametrize("field", ["d", "e", "m"])
async def test_damage_is_reported_and_removed(
    open_redis: Open,
    redis_server: RedisServer,
    make_document: Make,
    make_embedded: Callable[..., Embedded],
    corrupt: list[bytes],
    field: str,
) -> None:
    store = await open_redis(origin="me")
    document = make_document(1, embedded=make_embedded(1))
    await store.put(document)
    start = await store.newest()
    name = layout(store).document(document.key).decode()
    redis_server.ask(
        "eval",
        f"local v = redis.call('HGET', KEYS[1], '{field}') "
        f"return redis.call('HSET', KEYS[1], '{field}', "
        "string.sub(v, 1, -2) .. string.char(255 - string.byte(v, -1)))",
        "1",
        name,
    )
    if field == "m":
        assert [batch async for batch in store.entries()] == []
    else:
        assert await store.get(document.key) is None
    assert corrupt == [document.key]
    assert (await store.stats()).entries == 0
    (change,) = (await store.changes(start, 10)).changes
    assert (change.kind, change.keys) == (ChangeKind.REMOVE, (document.key,))


async def test_an_answer_under_another_key_is_noticed(
    open_redis: Open, redis_server: RedisServer, make_document: Make, corrupt: list[bytes]
) -> None:
    store = await open_redis()
    mine, other = make_document(1), make_document(2, tenant="other")
    await store.put(mine)
    await store.put(other)
    names = [layout(store).document(document.key).decode() for document in (other, mine)]
    redis_server.ask("copy", *names, "replace")
    assert await store.get(mine.key) is None
    assert corrupt == [mine.key]
    assert await store.get(other.key) == other


async def test_documents_of_another_version_are_left_alone(
    open_redis: Open, redis_server: RedisServer, make_document: Make, corrupt: list[bytes]
) -> None:
    store = await open_redis()
    await store.put(make_document(1))
    name = layout(store).document(make_document(1).key).decode()
    redis_server.ask("hset", name, "d", "\x7fnew", "m", "\x7fnew", "e", "\x7fnew")
    assert await store.get(make_document(1).key) is None
    assert [batch async for batch in store.entries()] == []
    assert [batch async for batch in store.index_rows("minilm-1")] == []
    assert corrupt == []
    assert redis_server.ask("exists", name) == "1"


async def test_namespaces_do_not_meet(open_redis: Open, make_document: Make) -> None:
    one, two = await open_redis(namespace="one"), await open_redis(namespace="two")
    await one.put(make_document(1))
    assert await two.get(make_document(1).key) is None
    assert (await two.stats()).entries == 0
    await one.delete(make_document(1).key)


async def test_keys_name_no_tenant_and_no_prompt(
    open_redis: Open, redis_server: RedisServer, make_document: Make
) -> None:
    store = await open_redis(namespace="names")
    await store.put(make_document(1, tenant="Tenant", prompt="Question"))
    key = make_document(1).key.hex()
    assert sorted(redis_server.ask("--scan", "--pattern", "names:*").split()) == [
        "names:{00}:d:" + key,
        "names:{00}:x",
        "names:{log}:changes",
    ]


async def test_a_full_redis_refuses_writes_and_serves_the_rest(
    open_redis_at: Open, make_document: Make
) -> None:
    need_redis()
    with RedisServer(options={"maxmemory": "6mb", "maxmemory-policy": "noeviction"}) as server:
        store = await open_redis_at(server.url)
        small = make_document(1)
        await store.put(small)
        start = await store.newest()
        large = [
            make_document(n, body=hashlib.shake_256(bytes([n])).digest(500_000))
            for n in range(2, 20)
        ]
        outcomes = await asyncio.gather(*map(store.put, large), return_exceptions=True)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert refused
        assert all(isinstance(r, StoreUnavailable) and "maxmemory" in str(r) for r in refused)
        # No failure of the connection: nothing is left alone.
        assert await store.get(small.key) == small
        stored = [change.keys[0] for change in (await store.changes(start, 100)).changes]
        assert len(await store.get_many([d.key for d in large])) == len(stored)
        assert len(stored) == len(large) - len(refused)
        # Deleting makes room, so it has to work, and to be told of.
        assert await store.delete(small.key) is True
        assert (await store.changes(start, 100)).changes[-1].kind is ChangeKind.REMOVE


async def test_redis_evicts_when_it_may(open_redis_at: Open, make_document: Make) -> None:
    need_redis()
    options = {"maxmemory": "8mb", "maxmemory-policy": "volatile-lru"}
    with RedisServer(options=options) as server:
        store = await open_redis_at(server.url)
        documents = [
            make_document(n, body=hashlib.shake_256(str(n).encode()).digest(100_000))
            for n in range(120)
        ]
        for document in documents:
            await store.put(document)
        kept = await store.get_many([document.key for document in documents])
        assert 10 < len(kept) < 120
        # The index and the log have no time to live, so they stay.
        assert (await store.stats()).entries == 120
        listed = [entry.key async for batch in store.entries() for entry in batch]
        # Listing takes memory too, and may cost further documents.
        assert 0 < len(listed) <= len(kept)
        assert (await store.stats()).entries < 120


async def test_a_flushed_store_is_another_one(
    own_server: RedisServer, open_redis_at: Open, make_document: Make
) -> None:
    store = await open_redis_at(own_server.url, origin="a")
    cursor = await store.newest()
    await store.put(make_document(1))
    own_server.ask("flushall")
    batch = await store.changes(cursor, 10)
    assert (batch.complete, batch.changes) == (False, ())
    await store.put(make_document(2))
    after = await store.changes(batch.cursor, 10)
    assert (after.complete, [c.keys for c in after.changes]) == (True, [(make_document(2).key,)])


async def test_large_documents_do_not_hold_up_the_loop_with_compression(
    open_redis: Open, make_document: Make
) -> None:
    store = await open_redis()
    text = json.dumps([key_of(number).hex() for number in range(15_000)]).encode()
    document = make_document(1, body=text)
    await store.put(document)
    assert await store.get(document.key) == document


@pytest.mark.parametrize(
    "url",
    [None, "", "http://localhost", "redis://localhost:http", "redis://h?socket_keepalive=%ff&x=1"],
)
async def test_what_is_no_url_of_redis_is_refused(open_redis_at: Open, url: str | None) -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        await open_redis_at(url)


async def test_passwords_are_checked_at_the_start_and_never_told(
    open_redis_at: Open, make_document: Make
) -> None:
    need_redis()
    with RedisServer(options={"requirepass": "right-one"}) as server:
        for user in ("", ":wrong-secret@", "nobody:wrong-secret@"):
            with pytest.raises(ConfigError, match=r"store\.url") as caught:
                await open_redis_at(f"redis://{user}127.0.0.1:{server.port}")
            assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
            assert [t for t in asyncio.all_tasks() if t.get_name().startswith("cachemw")] == []
        store = await open_redis_at(f"redis://:right-one@127.0.0.1:{server.port}/3")
        await store.put(make_document(1))
        assert await store.get(make_document(1).key) == make_document(1)


async def test_a_database_that_is_not_there_is_refused(
    open_redis_at: Open, redis_server: RedisServer
) -> None:
    with pytest.raises(ConfigError, match="database number"):
        await open_redis_at(f"redis://127.0.0.1:{redis_server.port}/999")


def _soon() -> float:
    return asyncio.get_running_loop().time() + 30


def test_shards_follow_from_keys() -> None:
    assert [shard_of(bytes([n]) * 32) for n in (0, 1, 255)] == [0, 1, 255]
