"""Evidence in Redis: names, times to live, damage, a flush, a full Redis and one that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cachemw_policies.labels import Label, Source

from cachemw.errors import StoreUnavailable
from cachemw.stores.evidence import EvidenceBounds, LabelBatch, Served
from cachemw.stores.redis_evidence import APPEND
from tests.support.redis_server import RedisServer

Open = Callable[..., Any]

NOW = 1_795_000_000.0
BOUNDS = EvidenceBounds()


def labels(count: int, start: int = 0) -> list[Label]:
    return [
        Label("faq", 0.5, True, Source.SHADOW, "verifier-1", float(number))
        for number in range(start, start + count)
    ]


def hit(number: int) -> Served:
    return Served(str(number), b"k", "tenant", "faq", 0.5, "verifier-1", NOW)


async def test_names_and_times_to_live(own_server: RedisServer, open_redis_at: Open) -> None:
    store = await open_redis_at(own_server.url, namespace="ns")
    evidence = store.evidence(EvidenceBounds(seconds=99.5))
    await evidence.append(labels(2), b"\x01\x02")
    await evidence.remember([hit(1)])
    names = sorted(own_server.ask("keys", "*").split())
    batch, log, served = sorted(names, key=lambda name: (":s:" in name, name))
    assert (batch, log) == ("ns:{evidence}:b:0102", "ns:{evidence}:labels")
    digest = served.rpartition(":")[2]
    assert served == f"ns:{{{digest[:2]}}}:s:{digest}"
    assert int(own_server.ask("ttl", log)) == -1
    assert 90 < int(own_server.ask("ttl", served)) <= 100
    assert 3000 < int(own_server.ask("ttl", batch)) <= 3600
    await evidence.take("1", "tenant")
    assert int(own_server.ask("exists", served)) == 0


async def test_damaged_records_are_skipped_and_counted(
    own_server: RedisServer, open_redis_at: Open
) -> None:
    store = await open_redis_at(own_server.url, namespace="ns")
    evidence = store.evidence(BOUNDS)
    await evidence.append(labels(1), b"a")
    own_server.ask("xadd", "ns:{evidence}:labels", "*", "l", "\x01damaged")
    own_server.ask("xadd", "ns:{evidence}:labels", "*", "l", "too", "many", "fields")
    await evidence.append(labels(1, 1), b"b")
    assert list((await evidence.labels("", 9)).labels) == labels(2)
    assert evidence.damaged == 2
    await evidence.remember([hit(1)])
    (name,) = own_server.ask("keys", "ns:*:s:*").split()
    own_server.ask("set", name, "\x01damaged")
    assert await evidence.take("1", "tenant") is None
    assert evidence.damaged == 3


async def test_after_a_flush_it_begins_anew(own_server: RedisServer, open_redis_at: Open) -> None:
    evidence = (await open_redis_at(own_server.url)).evidence(BOUNDS)
    await evidence.append(labels(3), b"a")
    cursor = (await evidence.labels("", 9)).cursor
    own_server.ask("flushall")
    assert await evidence.labels(cursor, 9) == LabelBatch((), "", anew=True)
    assert await evidence.labels("", 9) == LabelBatch((), "")
    await evidence.append(labels(2, 3), b"b")
    assert list((await evidence.labels("", 9)).labels) == labels(2, 3)
    # Whoever has not looked meanwhile goes on: the clock has.
    batch = await evidence.labels(cursor, 9)
    assert list(batch.labels) == labels(2, 3)
    assert not batch.anew


async def test_a_log_that_lost_its_end_begins_anew(
    own_server: RedisServer, open_redis_at: Open
) -> None:
    """As after a failover to a replica that was behind."""
    store = await open_redis_at(own_server.url, namespace="ns")
    evidence = store.evidence(BOUNDS)
    await evidence.append(labels(3), b"a")
    cursor = (await evidence.labels("", 9)).cursor
    own_server.ask("xdel", "ns:{evidence}:labels", cursor)
    batch = await evidence.labels(cursor, 9)
    assert batch.anew
    assert list(batch.labels) == labels(2)


async def test_a_full_redis_writes_all_labels_or_none(
    own_server: RedisServer, open_redis_at: Open
) -> None:
    evidence = (await open_redis_at(own_server.url)).evidence(BOUNDS)
    own_server.ask("config", "set", "maxmemory", "1")
    own_server.ask("config", "set", "maxmemory-policy", "noeviction")
    await evidence.append(labels(300), b"a")
    with pytest.raises(StoreUnavailable, match="full"):
        await evidence.remember([hit(1)])
    assert await evidence.take("1", "tenant") is None
    assert list((await evidence.labels("", 999)).labels) == labels(300)


async def test_forgotten_scripts_are_sent_again(
    own_server: RedisServer, open_redis_at: Open
) -> None:
    evidence = (await open_redis_at(own_server.url)).evidence(BOUNDS)
    await evidence.append(labels(1), b"a")
    own_server.ask("script", "flush")
    await evidence.append(labels(1, 1), b"b")
    assert own_server.ask("script", "exists", APPEND.name).split() == ["1"]
    assert list((await evidence.labels("", 9)).labels) == labels(2)


async def test_a_redis_that_is_away_opens_the_breaker(
    own_server: RedisServer, open_redis_at: Open
) -> None:
    store = await open_redis_at(
        own_server.url, write_timeout_s=0.2, breaker_failures=2, breaker_s=60.0
    )
    evidence = store.evidence(BOUNDS)
    await evidence.append(labels(1), b"a")
    own_server.kill()
    for call in (
        evidence.append(labels(1), b"b"),
        evidence.labels("", 9),
        evidence.remember([hit(1)]),
        evidence.take("1", "tenant"),
    ):
        with pytest.raises(StoreUnavailable):
            await call
    assert not store._servers._node.available
    with pytest.raises(StoreUnavailable):  # documents are spared the wait too
        await store.get(b"k" * 32)


async def test_a_namespace_of_its_own(own_server: RedisServer, open_redis_at: Open) -> None:
    one = (await open_redis_at(own_server.url, namespace="one")).evidence(BOUNDS)
    two = (await open_redis_at(own_server.url, namespace="two")).evidence(BOUNDS)
    await one.append(labels(2), b"a")
    await one.remember([hit(1)])
    assert (await two.labels("", 9)).labels == ()
    assert await two.take("1", "tenant") is None
    assert await one.take("1", "tenant") == hit(1)
