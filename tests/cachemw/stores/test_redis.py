"""The settings reach the parts that they are about."""

from __future__ import annotations

import pytest

from cachemw.errors import ConfigError
from cachemw.stores.redis import make_redis_store
from cachemw.stores.redis_cluster import ClusterServers
from cachemw.stores.redis_servers import SingleServer
from cachemw.stores.settings import StoreSettings


async def test_cluster_decides_the_servers() -> None:
    for cluster, kind in ((False, SingleServer), (True, ClusterServers)):
        settings = StoreSettings(kind="redis", url="redis://localhost:1", cluster=cluster)
        store = make_redis_store(settings, lambda: 0.0, lambda key: None)
        assert isinstance(store._servers, kind)
        await store.aclose()


async def test_settings_arrive() -> None:
    settings = StoreSettings(
        kind="redis",
        url="redis://localhost:1",
        connections=7,
        queue_limit=70,
        breaker_failures=4,
        breaker_s=9.0,
        namespace="mine",
    )
    store = make_redis_store(settings, lambda: 0.0, lambda key: None)
    assert isinstance(store._servers, SingleServer)
    limits = store._servers._node._limits
    assert (limits.connections, limits.queue) == (7, 70)
    assert (limits.breaker.failures, limits.breaker.seconds) == (4, 9.0)
    assert store._layout.log == b"mine:{log}:changes"
    await store.aclose()


def test_a_url_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        make_redis_store(StoreSettings(kind="redis"), lambda: 0.0, lambda key: None)
