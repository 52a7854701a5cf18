"""The composition root: everything is made and joined here, and nowhere else."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random, SystemRandom
from secrets import token_hex

from fastapi import FastAPI

from cachemw.ask import AskReader
from cachemw.calls import Calls, CallSettings
from cachemw.config import Config, UpstreamConfig, api_key
from cachemw.directives import Mode
from cachemw.endpoints.table import endpoints
from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.exact import ExactTier, Resident
from cachemw.fetch import Fetcher
from cachemw.flight import Flights
from cachemw.forward import Forwarder
from cachemw.http.control import Readiness, control_app
from cachemw.http.surface import Asgi, Surface
from cachemw.identity.base import Identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys
from cachemw.keep import Keeper
from cachemw.local.process import LocalModelProcess
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.models import ModelList
from cachemw.path import RequestPath
from cachemw.replay import Replayer, ReplaySettings
from cachemw.semantic import SemanticTier
from cachemw.settings import keep_settings, semantic_settings, store_settings, upkeep_settings
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore
from cachemw.stores.table import make_store
from cachemw.upkeep import Upkeep
from cachemw.upstreams.base import Upstream
from cachemw.upstreams.local import LocalUpstream
from cachemw.upstreams.openai import Limits, OpenAIUpstream
from cachemw.upstreams.router import Backend, Price, Router

log = logging.getLogger("cachemw.app")


@dataclass(frozen=True)
class Service:
    """The ASGI application and what its server needs to know of it."""

    asgi: Asgi
    readiness: Readiness
    metrics: Metrics


def build(config: Config, env: Mapping[str, str] = os.environ) -> Service:
    """Join all parts. Raises ConfigError for what cannot work; starts nothing yet."""
    metrics = Metrics()
    readiness = Readiness()
    origin = token_hex(8)
    router = Router([_backend(u, env, metrics) for u in config.upstreams])
    store = make_store(store_settings(config, origin, env), time.time, _count_corrupt(metrics))
    lru: ByteLru[Resident] = ByteLru(config.cache.memory_bytes)
    store_state = DependencyState("store", metrics.store_up.set)
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
    keeper = Keeper(keep_settings(config), exact, semantic, metrics, time.time, storing)
    fetcher = Fetcher(
        keeper,
        metrics,
        max_event_bytes=config.cache.max_answer_bytes,
        monotonic=time.perf_counter,
    )
    flights = Flights(config.cache.max_answer_bytes, config.cache.flight_bytes)
    call_settings = CallSettings(
        config.cache.follower_wait_seconds, config.cache.commit_wait_seconds
    )
    calls = Calls(call_settings, flights, fetcher, replayer, metrics)
    forwarder = Forwarder(router, metrics)
    asks = AskReader(
        router,
        ceiling=Mode[config.mode.upper()],
        max_body_bytes=config.server.max_body_bytes,
        key_headers=tuple(config.cache.key_headers),
        monotonic=time.perf_counter,
    )
    path = RequestPath(asks, exact, semantic, replayer, calls, forwarder, _state("lookup", metrics))
    upkeep = Upkeep(
        upkeep_settings(config), store, lru, semantic, readiness, semantic_state, metrics
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _running(store, store_state, router, upkeep, flights, config):
            yield

    table = endpoints()
    control = control_app(metrics, readiness, table, lifespan, upkeep.refresh)
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


def _backend(config: UpstreamConfig, env: Mapping[str, str], metrics: Metrics) -> Backend:
    return Backend(
        upstream=_upstream(config, env, _state(f"upstream:{config.name}", metrics)),
        models=tuple(config.models),
        aliases=config.aliases,
        default_model=config.default_model,
        only_model=None if config.local is None else config.default_model or config.name,
        ask_usage=config.ask_usage,
        prices={m: Price(p.prompt, p.completion) for m, p in config.prices.items()},
    )


def _upstream(config: UpstreamConfig, env: Mapping[str, str], state: DependencyState) -> Upstream:
    limits = Limits(
        connect=config.connect_seconds,
        first_byte=config.first_byte_seconds,
        total=config.total_seconds,
        connections=config.connections,
    )
    if config.base_url is not None:
        key = api_key(config, env)
        return OpenAIUpstream(config.name, config.base_url, api_key=key, limits=limits, state=state)
    served_as = config.default_model or config.name
    model = str(lab_model_path()) if config.local == "lab" else str(config.local)
    process = LocalModelProcess(model, served_as, threads=config.local_threads)
    uds = str(process.socket_path)
    http = OpenAIUpstream(config.name, "http://local/v1", limits=limits, state=state, uds=uds)
    return LocalUpstream(process, http, ready_seconds=config.first_byte_seconds)


def lab_model_path() -> Path:
    """Return where the shipped lab model lies."""
    return Path(str(files("cachemw") / "assets" / "lab_model"))


def _count_corrupt(metrics: Metrics) -> Callable[[bytes], None]:
    def on_corrupt(key: bytes) -> None:
        metrics.evictions.labels("default", "corrupt").inc()
        log.warning("damaged document dropped", extra={"key": key.hex()[:16]})

    return on_corrupt
