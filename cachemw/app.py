"""The composition root: everything is made and joined here, and nowhere else."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random, SystemRandom
from secrets import token_hex

from cachemw_policies.load import LoadSettings
from fastapi import FastAPI

from cachemw.admin.build import Copies, admin_router
from cachemw.admin.fence import Fence
from cachemw.ask import AskReader
from cachemw.calls import Calls, CallSettings
from cachemw.changes import ChangeFeed
from cachemw.checkpoint.checkpointer import Checkpointer
from cachemw.config import Config
from cachemw.directives import Mode
from cachemw.endpoints.table import endpoints
from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.exact import ExactTier, Resident
from cachemw.fetch import Fetcher
from cachemw.flight import Flights
from cachemw.forward import Forwarder
from cachemw.gauges import Gauges
from cachemw.http.control import Readiness, control_app
from cachemw.http.surface import Asgi, Surface
from cachemw.identity.base import Identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys
from cachemw.keep import Keeper
from cachemw.load import UpstreamLoad
from cachemw.loading import SemanticLoader
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.models import ModelList
from cachemw.path import RequestPath
from cachemw.replay import Replayer, ReplaySettings
from cachemw.semantic import SemanticTier
from cachemw.send import Sender
from cachemw.settings import (
    keep_settings,
    loading_settings,
    semantic_settings,
    store_settings,
    upkeep_settings,
)
from cachemw.shared import Call, SharedCall, SharedSettings
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore
from cachemw.stores.table import make_store
from cachemw.upkeep import Upkeep
from cachemw.upstreams.build import backend
from cachemw.upstreams.router import Router
from cachemw.workers.handover import Place

log = logging.getLogger("cachemw.app")


@dataclass(frozen=True)
class Service:
    """The ASGI application and what its server needs to know of it."""

    asgi: Asgi
    readiness: Readiness
    metrics: Metrics


def build(
    config: Config, env: Mapping[str, str] = os.environ, place: Place | None = None
) -> Service:
    """Join all parts. Raises ConfigError for what cannot work; starts nothing yet.

    `place` is the one of this process among several workers.
    """
    metrics = Metrics(shared=None if place is None else place.metrics)
    models = {} if place is None else place.models
    readiness = Readiness()
    origin = token_hex(8)
    load = UpstreamLoad(metrics, time.perf_counter, LoadSettings())
    router = Router([backend(u, env, metrics, load, models.get(u.name)) for u in config.upstreams])
    sender = Sender(router, load)
    stored = store_settings(config, origin, env)
    store = make_store(stored, time.time, _count_corrupt(metrics))
    lru: ByteLru[Resident] = ByteLru(config.cache.memory_bytes)
    metrics.count_evictions("memory", lambda: lru.evictions)
    store_state = DependencyState("store", metrics.store_up.set, settle_s=1.0)
    exact = ExactTier(lru, store, store_state, metrics, time.time)
    semantic_state = _state("semantic", metrics)
    semantic = (
        SemanticTier(semantic_settings(config), exact, semantic_state, metrics)
        if Mode[config.mode.upper()] >= Mode.SEMANTIC
        else None
    )
    replay = ReplaySettings(config.replay.piece_chars, config.replay.pause_seconds)
    replayer = Replayer(replay, metrics, clock=time.time, rng=Random(SystemRandom().random()))
    storing = _state("storing", metrics)
    fence = Fence(time.time, time.monotonic)
    keeper = Keeper(keep_settings(config), exact, semantic, metrics, time.time, storing, fence)
    fetcher = Fetcher(sender, keeper, max_event_bytes=config.cache.max_answer_bytes)
    flights = Flights(config.cache.max_answer_bytes, config.cache.flight_bytes)
    call_settings = CallSettings(
        config.cache.follower_wait_seconds, config.cache.commit_wait_seconds
    )
    call: Call = fetcher
    if config.store.kind == "redis" and config.cache.share_flights:
        lease = config.cache.lease_seconds
        shared = SharedSettings(max_wait=config.cache.follower_wait_seconds, renew=lease / 3)
        leases = store.leases(lease)
        call = SharedCall(shared, fetcher, leases, exact, replayer, metrics, store_state)
    calls = Calls(call_settings, flights, call, replayer, metrics)
    forwarder = Forwarder(router, sender, metrics)
    asks = AskReader(
        router,
        ceiling=Mode[config.mode.upper()],
        max_body_bytes=config.server.max_body_bytes,
        key_headers=tuple(config.cache.key_headers),
        monotonic=time.perf_counter,
    )
    path = RequestPath(asks, exact, semantic, replayer, calls, forwarder, _state("lookup", metrics))
    feed = ChangeFeed(store, exact, store_state, metrics, origin=origin, monotonic=time.monotonic)
    loading = loading_settings(config)
    loader = (
        None
        if semantic is None
        else SemanticLoader(loading, semantic, feed, semantic_state, clock=time.time)
    )
    gauges = Gauges(store, lru, feed, loader, metrics)
    upkeep = Upkeep(
        upkeep_settings(config),
        store,
        feed,
        loader,
        Checkpointer(loading.snapshots, loading.index, stored, metrics),
        gauges,
        readiness,
        metrics,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _running(store, store_state, router, upkeep, flights, config):
            yield

    table = endpoints()
    admin = admin_router(config, env, store, Copies(exact, semantic), fence, table)
    control = control_app(metrics, readiness, table, lifespan, gauges.refresh, [admin])
    models = ModelList(router, forwarder)
    surface = Surface(
        _identity(config),
        table,
        path.answer,
        models.reply,
        forwarder.passthrough,
        control,
        metrics,
        time.perf_counter,
    )
    return Service(surface, readiness, metrics)


@asynccontextmanager
async def _running(
    store: DocumentStore,
    store_state: DependencyState,
    router: Router,
    upkeep: Upkeep,
    flights: Flights,
    config: Config,
) -> AsyncIterator[None]:
    """Start what runs, and at the end finish what was accepted before it is closed."""
    try:
        await store.start()
        store_state.up()
    except StoreUnavailable as error:
        # Serves without; every use of it says so again.
        store_state.down(type(error).__name__, "get")
    except ConfigError as error:
        log.error("cannot start: %s", error)
        raise
    for backend in router.backends:
        await backend.upstream.start()
    upkeep.start()
    try:
        yield
    finally:
        cancelled = await flights.drain(config.server.shutdown_seconds)
        if cancelled:
            log.warning("calls cancelled at shutdown", extra={"calls": cancelled})
        await upkeep.aclose()
        with suppress(StoreUnavailable):
            await store.aclose()
        for backend in router.backends:
            await backend.upstream.aclose()


def _identity(config: Config) -> Identity:
    isolation = config.cache.tenant_isolation
    if not config.identity.keys:
        return PassedThrough(isolation=isolation)
    keys = [
        VirtualKey(bytes.fromhex(key.sha256), key.tenant, key.rpm, key.tpm)
        for key in config.identity.keys
    ]
    return VirtualKeys(keys, time.monotonic, isolation=isolation)


def _state(name: str, metrics: Metrics) -> DependencyState:
    return DependencyState(name, metrics.dependency_up.labels(name).set)


def _count_corrupt(metrics: Metrics) -> Callable[[bytes], None]:
    def on_corrupt(key: bytes) -> None:
        metrics.evictions.labels("default", "corrupt").inc()
        log.warning("damaged document dropped", extra={"key": key.hex()[:16]})

    return on_corrupt
