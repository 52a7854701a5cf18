"""A cluster whose servers fail and whose slots move; the shared suite runs on a whole one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.base import Document
from cachemw.stores.redis_store import RedisStore
from tests.support.eventually import eventually
from tests.support.redis_server import RedisClusterServers, RedisServer, need_redis

Make = Callable[..., Document]
Open = Callable[..., Any]

QUICK = {"cluster": True, "timeout_s": 2.0, "breaker_failures": 3, "breaker_s": 0.1}


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[RedisClusterServers]:
    """Return a cluster that the tests of this module may break and have to mend."""
    need_redis()
    with RedisClusterServers() as cluster:
        yield cluster


@pytest.fixture
async def store(own_cluster: RedisClusterServers, open_redis_at: Open) -> RedisStore:
    opened: RedisStore = await open_redis_at(own_cluster.url, **QUICK)
    return opened


def documents(make_document: Make, count: int = 300) -> list[Document]:
    """Return documents of every shard's kind, spread as the service's are."""
    keys = [hashlib.sha256(str(number).encode()).digest() for number in range(count)]
    return [make_document(number, key=key) for number, key in enumerate(keys)]


async def unavailable(store: RedisStore, key: bytes) -> bool:
    try:
        await store.get(key)
    except StoreUnavailable:
        return True
    return False


def masters(
    cluster: RedisClusterServers, store: RedisStore, stored: Sequence[Document]
) -> list[RedisServer]:
    return cluster.masters_of([store._layout.document(document.key) for document in stored])


async def test_all_masters_have_their_share(
    store: RedisStore, own_cluster: RedisClusterServers, make_document: Make
) -> None:
    stored = documents(make_document)
    await asyncio.gather(*map(store.put, stored))
    assert len({node.port for node in masters(own_cluster, store, stored)}) == 3
    assert await store.get_many([document.key for document in stored]) == stored
    assert (await store.stats()).entries == 300
    assert len([entry async for batch in store.entries() for entry in batch]) == 300


async def test_one_master_killed_and_its_replica_takes_over(
    store: RedisStore, own_cluster: RedisClusterServers, make_document: Make
) -> None:
    stored = documents(make_document, 60)
    await asyncio.gather(*map(store.put, stored))
    owners = masters(own_cluster, store, stored)
    failing = owners[0]
    lost = [d for d, owner in zip(stored, owners, strict=True) if owner is failing]
    others = [d for d in stored if d not in lost]
    failing.ask("wait", "1", "5000")  # its replica has everything
    failing.kill()
    try:
        assert await unavailable(store, lost[0].key)
        # The other parts go on meanwhile.
        assert await asyncio.gather(*(store.get(d.key) for d in others)) == others

        async def taken_over() -> bool:
            return not await unavailable(store, lost[0].key)

        await eventually(taken_over)
        assert await store.get_many([d.key for d in stored]) == stored
        await store.put(lost[0])
    finally:
        failing.start()


async def test_one_master_paused_holds_up_nobody_else(
    store: RedisStore, own_cluster: RedisClusterServers, make_document: Make
) -> None:
    stored = documents(make_document, 60)
    await asyncio.gather(*map(store.put, stored))
    owners = masters(own_cluster, store, stored)
    paused = owners[0]
    mine = [d for d, owner in zip(stored, owners, strict=True) if owner is paused]
    others = [d for d in stored if d not in mine]
    paused.pause()
    try:
        await asyncio.gather(*(unavailable(store, d.key) for d in mine))
        assert await asyncio.gather(*(store.get(d.key) for d in others)) == others
    finally:
        paused.resume()

    async def whole() -> bool:
        return not any([await unavailable(store, d.key) for d in stored])

    await eventually(whole)


async def test_moved_slots_are_followed(
    store: RedisStore, own_cluster: RedisClusterServers, make_document: Make
) -> None:
    document = documents(make_document, 1)[0]
    await store.put(document)
    name = store._layout.document(document.key).decode()
    (source,) = masters(own_cluster, store, [document])
    slot = source.ask("cluster", "keyslot", name)
    target = next(
        node
        for node in own_cluster.nodes
        if node is not source and "role:master" in node.ask("info", "replication")
    )
    ids = {node: node.ask("cluster", "myid") for node in (source, target)}
    target.ask("cluster", "setslot", slot, "importing", ids[source])
    source.ask("cluster", "setslot", slot, "migrating", ids[target])
    absent = document.key[:1] + bytes(31)
    # Absent here means that the other server has to be asked (ASK).
    assert await store.get(absent) is None
    # Redis refuses writes to a slot that is moving, as they need a key of each side (TRYAGAIN).
    with pytest.raises(StoreUnavailable):
        await store.put(make_document(key=absent))
    keys = source.ask("cluster", "getkeysinslot", slot, "100").split()
    source.ask("migrate", "127.0.0.1", str(target.port), "", "0", "5000", "keys", *keys)
    for node in (target, source):
        node.ask("cluster", "setslot", slot, "node", ids[target])
    # The map still says otherwise (MOVED).
    assert await store.get(document.key) == document
    await store.put(make_document(key=absent))
    assert await store.delete_many([absent, document.key]) == 2


async def test_a_single_server_is_no_cluster(
    redis_server: RedisServer, open_redis_at: Open
) -> None:
    with pytest.raises(ConfigError, match=r"store\.cluster to false"):
        await open_redis_at(redis_server.url, cluster=True)


async def test_a_cluster_is_no_single_server(
    own_cluster: RedisClusterServers, open_redis_at: Open
) -> None:
    with pytest.raises(ConfigError, match=r"store\.cluster to true"):
        await open_redis_at(own_cluster.url)


async def test_starts_without_the_cluster_and_finds_it_later(
    own_cluster: RedisClusterServers, open_redis_at: Open
) -> None:
    stores: list[RedisStore] = []
    seed = own_cluster.nodes[0]
    seed.pause()
    try:
        with pytest.raises(StoreUnavailable):
            await open_redis_at(own_cluster.url, **QUICK, write_timeout_s=0.2, opened=stores.append)
        assert await unavailable(stores[0], bytes(32))
    finally:
        seed.resume()

    async def found() -> bool:
        return not await unavailable(stores[0], bytes(32))

    await eventually(found)
