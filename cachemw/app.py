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

from cachemw.admin.build import Copies, admin_router, entry_admin
from cachemw.admin.fence import Fence
from cachemw.admin.labels import LabelImports
from cachemw.aftermath import Noting
from cachemw.ask import AskReader
from cachemw.calls import Calls, CallSettings
from cachemw.categories.views import CategoryViews
from cachemw.changes import ChangeFeed
from cachemw.checkpoint.checkpointer import Checkpointer
from cachemw.config import Config
from cachemw.directives import Mode
from cachemw.endpoints.table import endpoints
from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.evictions import Evictions
from cachemw.evidence.feedback import Feedback
from cachemw.exact import ExactTier, Resident
from cachemw.fetch import Fetcher
from cachemw.flight import Flights
from cachemw.forward import Forwarder
from cachemw.gauges import Gauges
from cachemw.http.control import Readiness, control_app
from cachemw.http.messages import BodyMemory
from cachemw.http.surface import Asgi, Others, Surface
from cachemw.identity.build import identity
from cachemw.judging import Board, Learnt, board, learnt
from cachemw.keep import Keeper
from cachemw.learner import Learner
from cachemw.load import UpstreamLoad
from cachemw.loading import LoadedInto, SemanticLoader
from cachemw.lookup import Circumstances, Lookup
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.models import ModelList
from cachemw.path import RequestPath
from cachemw.quotas.evictor import Evictor, EvictorSettings
from cachemw.quotas.follow import Follower
from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from cachemw.replay import Replayer, ReplaySettings
from cachemw.semantic import SemanticTier
from cachemw.send import Sender
from cachemw.settings import (
    capacity,
    keep_settings,
    loading_settings,
    lookup_settings,
    semantic_settings,
    store_settings,
    upkeep_settings,
)
from cachemw.shared import Call, SharedCall, SharedSettings
from cachemw.states import DependencyState
from cachemw.stores.base import Document, DocumentStore
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from cachemw.upkeep import Kept, Upkeep
from cachemw.upstreams.build import backend
from cachemw.upstreams.router import Router
from cachemw.workers.handover import Place

log = logging.getLogger("cachemw.app")

# Entries that have gone, of which it is remembered how often they were used: 12 bytes each.
_GHOSTS = 1 << 17


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
    ledger: Ledger
    follower: Follower
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
    known = board(config, load, metrics)
    cache = _cache(config, env, known, metrics)
    copies = Copies(cache.exact, cache.semantic)
    fence, table = Fence(time.time, time.monotonic), endpoints()
    entries = entry_admin(config, cache.store, copies, fence, table)
    sender = Sender(router, load)
    flights = Flights(config.cache.max_answer_bytes, config.cache.flight_bytes)
    replayer = _replayer(config, known, metrics)

    async def on_wrong(document: Document) -> None:
        await entries.delete(document.key)

    # A check makes the call of a miss, and a miss is learnt from: each knows the other.
    learning = learnt(
        config,
        env,
        known,
        cache.store,
        router,
        metrics,
        begin=lambda ask: calls.begin(ask),  # noqa: PLW0108 - it is not there yet
        on_wrong=on_wrong,
    )
    call = _call(config, cache, known, sender, fence, learning, replayer, metrics)
    calls = Calls(_call_settings(config), flights, call, replayer, metrics)
    forwarder = Forwarder(router, sender, metrics)
    aftermath = Noting(
        learning.aftermath,
        known.categories,
        cache.exact,
        copies.learn,
        cache.ledger,
        fence,
        time.time,
        config.cache.ttl_seconds,
    )
    path = RequestPath(
        _asks(config, router, known),
        cache.exact,
        cache.semantic,
        replayer,
        calls,
        forwarder,
        metrics.dependency("lookup"),
        aftermath,
    )
    evictor = _evictor(config, cache, known, Evictions(copies, metrics), place, metrics)
    views = CategoryViews(known.categories, known.accounts, known.levels, evictor, metrics)
    upkeep, gauges = _upkeep(config, cache, learning.learner, evictor, views, readiness, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _running(cache, router, upkeep, flights, learning, config):
            yield

    labels = LabelImports(learning.book.write, known.categories)
    admin = admin_router(config, env, entries, views, labels)
    control = control_app(metrics, readiness, table, lifespan, gauges.refresh, [admin])
    feedback = Feedback(
        learning.book,
        cache.store,
        entries.delete,
        clock=time.time,
        on_verdict=lambda verdict: metrics.feedback.labels(verdict.value).inc(),
    )
    surface = Surface(
        identity(config, time.monotonic),
        table,
        path.answer,
        Others(ModelList(router, forwarder).reply, forwarder.passthrough, feedback.reply),
        control,
        metrics,
        time.perf_counter,
    )
    return Service(surface, readiness, metrics)


def _cache(config: Config, env: Mapping[str, str], known: Board, metrics: Metrics) -> _Cache:
    settings = store_settings(config, token_hex(8), env)
    store = make_store(settings, time.time, _count_corrupt(metrics))
    state = DependencyState("store", metrics.store_up.set, settle_s=1.0)
    lru: ByteLru[Resident] = ByteLru(config.cache.memory_bytes)
    metrics.count_evictions("memory", lambda: lru.evictions)
    ledger = Ledger(capacity(config), Ghosts(_GHOSTS))
    follower = Follower(ledger, store)
    fresh = known.categories.freshness
    exact = ExactTier(lru, store, state, metrics, time.time, fresh, follower)
    semantic_state = metrics.dependency("semantic")
    semantic = None
    if Mode[config.mode.upper()] >= Mode.SEMANTIC:
        around = Circumstances(known.categories, known.accounts, time.time, time.perf_counter)
        lookup = Lookup(lookup_settings(config), around, metrics)
        semantic = SemanticTier(
            semantic_settings(config), lookup, semantic_state, metrics, time.perf_counter
        )
    return _Cache(settings, store, state, lru, exact, ledger, follower, semantic, semantic_state)


def _replayer(config: Config, known: Board, metrics: Metrics) -> Replayer:
    settings = ReplaySettings(config.replay.piece_chars, config.replay.pause_seconds)
    rng = Random(SystemRandom().random())
    age_of = known.categories.freshness
    return Replayer(settings, metrics, clock=time.time, rng=rng, age_of=age_of)


def _call(
    config: Config,
    cache: _Cache,
    known: Board,
    sender: Sender,
    fence: Fence,
    learning: Learnt,
    replayer: Replayer,
    metrics: Metrics,
) -> Call:
    """Return the upstream side of flights."""
    keeper = Keeper(
        keep_settings(config),
        cache.exact,
        cache.semantic,
        known.categories,
        metrics,
        time.time,
        metrics.dependency("storing"),
        fence,
    )
    largest = config.cache.max_answer_bytes
    call: Call = Fetcher(sender, keeper, learning.aftermath.answered, max_event_bytes=largest)
    # Leases need a store that can be asked in a fraction of a millisecond by every process.
    if config.store.kind == "redis" and config.cache.share_flights:
        seconds = config.cache.lease_seconds
        wait = config.cache.follower_wait_seconds
        settings = SharedSettings(max_wait=wait, renew=seconds / 3)
        leases = cache.store.leases(seconds)
        call = SharedCall(settings, call, leases, cache.exact, replayer, metrics, cache.state)
    return call


def _call_settings(config: Config) -> CallSettings:
    return CallSettings(config.cache.follower_wait_seconds, config.cache.commit_wait_seconds)


def _asks(config: Config, router: Router, known: Board) -> AskReader:
    return AskReader(
        router,
        ceiling=Mode[config.mode.upper()],
        max_body_bytes=config.server.max_body_bytes,
        bodies=BodyMemory(config.server.body_bytes),
        key_headers=tuple(config.cache.key_headers),
        monotonic=time.perf_counter,
        named=known.categories.named,
        load_of=known.levels.of,
    )


def _evictor(
    config: Config,
    cache: _Cache,
    known: Board,
    evictions: Evictions,
    place: Place | None,
    metrics: Metrics,
) -> Evictor:
    # Without leases one process evicts: the first worker.
    first = place is None or place.number == 0
    settings = EvictorSettings(
        capacity(config),
        may_evict=first or config.store.kind == "redis",
        sizes_known=config.store.kind != "redis",
    )
    return Evictor(
        settings,
        cache.store,
        cache.ledger,
        cache.follower,
        lambda: known.categories.policies,
        evictions,
        metrics.dependency("eviction"),
        time.time,
    )


def _upkeep(
    config: Config,
    cache: _Cache,
    learner: Learner,
    evictor: Evictor,
    views: CategoryViews,
    readiness: Readiness,
    metrics: Metrics,
) -> tuple[Upkeep, Gauges]:
    store, origin = cache.store, cache.settings.origin
    feed = ChangeFeed(
        store,
        cache.exact,
        cache.state,
        metrics,
        origin=origin,
        monotonic=time.monotonic,
        follower=evictor.follower,
    )
    loading = loading_settings(config)
    loader = None
    if cache.semantic is not None:
        parts = LoadedInto(cache.semantic, cache.exact, feed, learner, metrics)
        loader = SemanticLoader(loading, parts, cache.semantic_state, clock=time.time)
        metrics.count_evictions("index", loader.evictions)
    gauges = Gauges(store, cache.lru, feed, loader, views, metrics)
    checkpointer = Checkpointer(loading.snapshots, loading.index, cache.settings, metrics)
    upkeep = Upkeep(
        upkeep_settings(config),
        Kept(store, feed, loader, learner, evictor),
        checkpointer,
        gauges,
        readiness,
        metrics,
    )
    return upkeep, gauges


@asynccontextmanager
async def _running(
    cache: _Cache,
    router: Router,
    upkeep: Upkeep,
    flights: Flights,
    learning: Learnt,
    config: Config,
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
        await learning.drain(config.server.shutdown_seconds / 4)
        cancelled = await flights.drain(config.server.shutdown_seconds)
        if cancelled:
            log.warning("calls cancelled at shutdown", extra={"calls": cancelled})
        await upkeep.aclose()
        await learning.learner.aclose()
        with suppress(StoreUnavailable):
            await cache.store.aclose()
        for one in router.backends:
            await one.upstream.aclose()


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
