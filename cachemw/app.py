"""The composition root: everything is made and joined here, and nowhere else."""

from __future__ import annotations

import gc
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
from cachemw.http.messages import BodyMemory
from cachemw.http.surface import Asgi, Surface
from cachemw.identity.build import identity
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
from cachemw.stores.settings import StoreSettings
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


@dataclass(frozen=True, slots=True)
class _Cache:
    """The tiers, and what they stand on; `semantic` is None where the mode has none."""

    settings: StoreSettings
    store: DocumentStore
    state: DependencyState
    lru: ByteLru[Resident]
    exact: ExactTier
    semantic: SemanticTier | None
    semantic_state: DependencyState


def build(
    config: Config, env: Mapping[str, str] = os.environ, place: Place | None = None
) -> Service:
    """Join all parts. Raises ConfigError for what cannot work; starts nothing yet.

    `place` is the one of this process among several workers.
    """
    metrics = Metrics(shared=None if place is None else place.metrics)
    models = {} if place is None else place.models
    readiness = Readiness(on_start=_settle)
    load = UpstreamLoad(metrics, time.perf_counter, LoadSettings())
    router = Router([backend(u, env, metrics, load, models.get(u.name)) for u in config.upstreams])
    sender = Sender(router, load)
    cache = _cache(config, env, metrics)
    fence = Fence(time.time, time.monotonic)
    flights = Flights(config.cache.max_answer_bytes, config.cache.flight_bytes)
    replayer = _replayer(config, metrics)
    calls = _calls(config, cache, sender, fence, flights, replayer, metrics)
    forwarder = Forwarder(router, sender, metrics)
    lookup = _state("lookup", metrics)
    asks = _asks(config, router)
    path = RequestPath(asks, cache.exact, cache.semantic, replayer, calls, forwarder, lookup)
    upkeep, gauges = _upkeep(config, cache, readiness, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _running(cache, router, upkeep, flights, config):
            yield

    table = endpoints()
    copies = Copies(cache.exact, cache.semantic)
    admin = admin_router(config, env, cache.store, copies, fence, table)
    control = control_app(metrics, readiness, table, lifespan, gauges.refresh, [admin])
    models_list = ModelList(router, forwarder)
    surface = Surface(
        identity(config, time.monotonic),
        table,
        path.answer,
        models_list.reply,
        forwarder.passthrough,
        control,
        metrics,
        time.perf_counter,
    )
    return Service(surface, readiness, metrics)


def _cache(config: Config, env: Mapping[str, str], metrics: Metrics) -> _Cache:
    settings = store_settings(config, token_hex(8), env)
    store = make_store(settings, time.time, _count_corrupt(metrics))
    state = DependencyState("store", metrics.store_up.set, settle_s=1.0)
    lru: ByteLru[Resident] = ByteLru(config.cache.memory_bytes)
    metrics.count_evictions("memory", lambda: lru.evictions)
    exact = ExactTier(lru, store, state, metrics, time.time)
    semantic_state = _state("semantic", metrics)
    semantic = None
    if Mode[config.mode.upper()] >= Mode.SEMANTIC:
        semantic = SemanticTier(semantic_settings(config), exact, semantic_state, metrics)
    return _Cache(settings, store, state, lru, exact, semantic, semantic_state)


def _replayer(config: Config, metrics: Metrics) -> Replayer:
    settings = ReplaySettings(config.replay.piece_chars, config.replay.pause_seconds)
    return Replayer(settings, metrics, clock=time.time, rng=Random(SystemRandom().random()))


def _calls(
    config: Config,
    cache: _Cache,
    sender: Sender,
    fence: Fence,
    flights: Flights,
    replayer: Replayer,
    metrics: Metrics,
) -> Calls:
    keeper = Keeper(
        keep_settings(config),
        cache.exact,
        cache.semantic,
        metrics,
        time.time,
        _state("storing", metrics),
        fence,
    )
    call: Call = Fetcher(sender, keeper, max_event_bytes=config.cache.max_answer_bytes)
    wait = config.cache.follower_wait_seconds
    # Leases need a store that can be asked in a fraction of a millisecond by every process.
    if config.store.kind == "redis" and config.cache.share_flights:
        seconds = config.cache.lease_seconds
        settings = SharedSettings(max_wait=wait, renew=seconds / 3)
        leases = cache.store.leases(seconds)
        call = SharedCall(settings, call, leases, cache.exact, replayer, metrics, cache.state)
    commit_wait = config.cache.commit_wait_seconds
    return Calls(CallSettings(wait, commit_wait), flights, call, replayer, metrics)


def _asks(config: Config, router: Router) -> AskReader:
    return AskReader(
        router,
        ceiling=Mode[config.mode.upper()],
        max_body_bytes=config.server.max_body_bytes,
        bodies=BodyMemory(config.server.body_bytes),
        key_headers=tuple(config.cache.key_headers),
        monotonic=time.perf_counter,
    )


def _upkeep(
    config: Config, cache: _Cache, readiness: Readiness, metrics: Metrics
) -> tuple[Upkeep, Gauges]:
    store, origin = cache.store, cache.settings.origin
    feed = ChangeFeed(
        store, cache.exact, cache.state, metrics, origin=origin, monotonic=time.monotonic
    )
    loading = loading_settings(config)
    loader = None
    if cache.semantic is not None:
        loader = SemanticLoader(
            loading, cache.semantic, feed, cache.semantic_state, clock=time.time
        )
        metrics.count_evictions("index", loader.evictions)
    gauges = Gauges(store, cache.lru, feed, loader, metrics)
    checkpointer = Checkpointer(loading.snapshots, loading.index, cache.settings, metrics)
    settings = upkeep_settings(config)
    upkeep = Upkeep(settings, store, feed, loader, checkpointer, gauges, readiness, metrics)
    return upkeep, gauges


@asynccontextmanager
async def _running(
    cache: _Cache, router: Router, upkeep: Upkeep, flights: Flights, config: Config
) -> AsyncIterator[None]:
    """Start what runs, and at the end finish what was accepted before it is closed."""
    try:
        await cache.store.start()
        cache.state.up()
    except StoreUnavailable as error:
        # Serves without; every use of it says so again.
        cache.state.down(type(error).__name__, "get")
    except ConfigError as error:
        log.error("cannot start: %s", error)
        raise
    for one in router.backends:
        await one.upstream.start()
    upkeep.start()
    try:
        yield
    finally:
        cancelled = await flights.drain(config.server.shutdown_seconds)
        if cancelled:
            log.warning("calls cancelled at shutdown", extra={"calls": cancelled})
        await upkeep.aclose()
        with suppress(StoreUnavailable):
            await cache.store.aclose()
        for one in router.backends:
            await one.upstream.aclose()


def _state(name: str, metrics: Metrics) -> DependencyState:
    return DependencyState(name, metrics.dependency_up.labels(name).set)


def _settle() -> None:
    """Take what has been loaded out of the garbage collector's sight.

    It stays until the end, and walking it again and again stops the event loop for 30 to 60 ms.
    """
    gc.collect()
    gc.freeze()


def _count_corrupt(metrics: Metrics) -> Callable[[bytes], None]:
    def on_corrupt(key: bytes) -> None:
        metrics.evictions.labels("default", "corrupt").inc()
        log.warning("damaged document dropped", extra={"key": key.hex()[:16]})

    return on_corrupt
