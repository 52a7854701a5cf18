"""The Redis store, put together from its settings."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from cachemw_policies.breaker import BreakerPolicy

from cachemw.stores.codec import DocumentCodec, shipped_dictionary
from cachemw.stores.redis_cluster import ClusterServers
from cachemw.stores.redis_connection import Address, connector
from cachemw.stores.redis_node import NodeLimits, RedisNode
from cachemw.stores.redis_servers import Servers, SingleServer
from cachemw.stores.redis_store import RedisStore
from cachemw.stores.settings import StoreSettings


def make_redis_store(
    settings: StoreSettings, clock: Callable[[], float], on_corrupt: Callable[[bytes], None]
) -> RedisStore:
    """Return the store at `settings.url`, not yet started; raises `ConfigError`."""
    codec = DocumentCodec(
        shipped_dictionary(),
        level=settings.compression_level,
        max_bytes=settings.max_document_bytes,
    )
    return RedisStore(
        _servers(settings),
        settings,
        codec=codec,
        clock=clock,
        unique=lambda: secrets.token_bytes(16),
        on_corrupt=on_corrupt,
    )


def _servers(settings: StoreSettings) -> Servers:
    address, connect = connector(settings.url)
    limits = NodeLimits(
        settings.connections,
        settings.queue_limit,
        BreakerPolicy(settings.breaker_failures, settings.breaker_s),
    )
    if settings.cluster:

        def make_node(where: Address, on_trouble: Callable[[], None]) -> RedisNode:
            return RedisNode(lambda: connect(where), limits, on_trouble)

        return ClusterServers(address, make_node, settings.breaker_s)
    return SingleServer(RedisNode(lambda: connect(None), limits))
