"""Leases shared by several processes; on one server and on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cachemw.errors import StoreUnavailable
from cachemw.stores.leases import Leases
from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
LONG_S = 3600.0

OpenLeases = Callable[[float], Any]


@pytest.fixture(params=["open_redis", "open_redis_cluster"])
def open_leases(request: pytest.FixtureRequest) -> OpenLeases:
    """Return an opener of leases as another process has them each time."""
    open_store = request.getfixturevalue(request.param)

    async def opened(seconds: float) -> Leases:
        leases: Leases = (await open_store()).leases(seconds)
        return leases

    return opened


async def test_one_of_many_gets_it(open_leases: OpenLeases) -> None:
    processes = [await open_leases(LONG_S) for _ in range(4)]
    granted = await asyncio.gather(*(process.take(KEY) for process in processes * 5))
    (lease,) = [lease for lease in granted if lease is not None]
    assert [await process.held(KEY) for process in processes] == [True] * 4
    assert await processes[0].held(OTHER) is False
    assert await processes[0].take(OTHER) is not None
    await lease.release()
    assert await processes[1].held(KEY) is False
    assert await processes[1].take(KEY) is not None


async def test_it_ends_when_its_holder_is_silent(open_leases: OpenLeases) -> None:
    dead, alive = await open_leases(0.05), await open_leases(LONG_S)
    lease = await dead.take(KEY)
    assert lease is not None

    async def taken() -> bool:
        return await alive.take(KEY) is not None

    await eventually(taken)
    # Whoever was silent for too long neither renews nor ends the next one's.
    assert await lease.renew() is False
    await lease.release()
    assert await alive.held(KEY) is True


async def test_renewing_keeps_it(open_leases: OpenLeases) -> None:
    leases = await open_leases(LONG_S)
    lease = await leases.take(KEY)
    assert lease is not None
    assert await lease.renew() is True
    await lease.release()
    assert await lease.renew() is False


async def test_renewing_begins_its_time_anew(open_redis: Any) -> None:
    store = await open_redis()
    short, long = store.leases(50.0), store.leases(LONG_S)
    lease = await short.take(KEY)
    assert lease is not None
    renewed = await long.renew(store._layout.lease(KEY), lease._token)
    assert renewed is True
    deadline = asyncio.get_running_loop().time() + 30
    (left,) = await store._servers.run_everywhere(("PTTL", store._layout.lease(KEY)), deadline)
    assert left > 60_000


async def test_every_failure_is_unavailable(own_server: RedisServer, open_redis_at: Any) -> None:
    store = await open_redis_at(own_server.url, timeout_s=0.5)
    leases = store.leases(LONG_S)
    lease = await leases.take(KEY)
    assert lease is not None
    own_server.kill()
    for work in (leases.take, leases.held):
        with pytest.raises(StoreUnavailable):
            await work(KEY)
    for call in (lease.renew, lease.release):
        with pytest.raises(StoreUnavailable):
            await call()
