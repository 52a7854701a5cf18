"""The configuration in the terms of the parts: what `app.py` hands to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path

from cachemw_policies.adaptation import AdaptationSettings, Knee
from cachemw_policies.breakeven import BreakEvenSettings
from cachemw_policies.quota import Amount
from cachemw_policies.shadowing import ShadowSettings
from cachemw_policies.thresholds import GuaranteeSettings

from cachemw.categories.board import BoardSettings
from cachemw.config import Config, store_url
from cachemw.embed.settings import EmbedderSettings
from cachemw.index.partitions import IndexSettings
from cachemw.keep import KeepSettings
from cachemw.loading import LoadingSettings
from cachemw.lookup import LookupSettings
from cachemw.semantic import SemanticSettings
from cachemw.shadow.checks import CheckSettings, Credentials
from cachemw.stores.settings import StoreSettings
from cachemw.upkeep import UpkeepSettings
from cachemw.verify.settings import VerifierSettings


def store_settings(config: Config, origin: str, env: Mapping[str, str]) -> StoreSettings:
    """Return the store's settings; `origin` names this process in its change log."""
    store = config.store
    return StoreSettings(
        kind=store.kind,
        path=Path(store.path) if store.path else config.cache_dir / "answers.sqlite3",
        max_bytes=store.max_bytes,
        timeout_s=store.get_seconds,
        write_timeout_s=store.put_seconds,
        queue_limit=store.queue,
        compression_level=store.compression_level,
        max_document_bytes=2 * config.cache.max_answer_bytes,
        origin=origin,
        changes_kept=store.changes_kept,
        url=store_url(config.store, env),
        cluster=store.cluster,
        namespace=store.namespace,
        connections=store.connections,
        breaker_failures=store.breaker_failures,
        breaker_s=store.breaker_seconds,
    )


def semantic_settings(config: Config) -> SemanticSettings:
    """Return what is looked up by meaning."""
    semantic = config.semantic
    return SemanticSettings(semantic.max_chars, semantic.max_temperature)


def lookup_settings(config: Config) -> LookupSettings:
    """Return which candidates are looked at."""
    semantic = config.semantic
    return LookupSettings(semantic.min_similarity, semantic.top_k)


def board_settings(config: Config) -> BoardSettings:
    """Return how thresholds are proven, and how many hits are checked."""
    proof, shadow = config.guarantee, config.shadow
    guarantee = GuaranteeSettings(
        alpha=proof.alpha,
        cold_start=proof.cold_start,
        window=proof.window,
        positive_feedback=proof.positive_feedback,
    )
    return BoardSettings(guarantee, ShadowSettings(share=shadow.share, dense=shadow.dense))


def adaptation_settings(config: Config) -> AdaptationSettings | None:
    """Return how the load is followed; None where it moves nothing."""
    wanted = config.adaptation
    if not wanted.enabled:
        return None
    return AdaptationSettings(
        queueing=Knee(wanted.queueing_from, wanted.queueing_full),
        error=Knee(wanted.error_from, wanted.error_full),
        rise_s=wanted.rise_seconds,
        fall_s=wanted.fall_seconds,
    )


def capacities(config: Config) -> dict[str, int]:
    """Return what each upstream takes at once from this process: its part of the whole."""
    workers = config.server.workers
    return {
        upstream.name: max(1, upstream.capacity // workers)
        for upstream in config.upstreams
        if upstream.capacity is not None
    }


def accounting_settings(config: Config) -> BreakEvenSettings:
    """Return what lookups cost and a second is worth."""
    wanted = config.accounting
    return BreakEvenSettings(
        probes=wanted.probes,
        usd_per_second=wanted.usd_per_second,
        cpu_usd_per_hour=wanted.cpu_usd_per_hour,
    )


def check_settings(config: Config) -> CheckSettings:
    """Return what shadow checks may do."""
    shadow = config.shadow
    credentials = Credentials(shadow.credentials)
    return CheckSettings(credentials, shadow.max_load, shadow.seconds, shadow.share)


def verifier_settings(config: Config) -> VerifierSettings:
    """Return which verifier scores candidates."""
    semantic = config.semantic
    return VerifierSettings(model=semantic.verifier, timeout_ms=1000 * semantic.verify_seconds)


def capacity(config: Config) -> Amount:
    """Return what the store may hold."""
    store = config.store
    entries = inf if store.max_entries is None else store.max_entries
    # Redis has a bound of its own, of which documents are a part.
    return Amount(entries, inf if store.kind == "redis" else store.max_bytes)


def keep_settings(config: Config) -> KeepSettings:
    """Return what decides on storing."""
    cache = config.cache
    return KeepSettings(cache.ttl_seconds, cache.max_answer_bytes, cache.store_truncated)


def index_settings(config: Config) -> IndexSettings:
    """Return the limits of the index."""
    semantic = config.semantic
    return IndexSettings(semantic.switch_at, semantic.max_vectors, semantic.search_seconds)


def upkeep_settings(config: Config) -> UpkeepSettings:
    """Return how often what runs beside the requests does."""
    store = config.store
    return UpkeepSettings(
        poll=store.change_poll_seconds,
        sweep=store.sweep_seconds,
        snapshot=config.semantic.snapshot_seconds,
        policies=config.categories.reload_seconds,
    )


def loading_settings(config: Config) -> LoadingSettings:
    """Return what the semantic tier loads."""
    embedder = config.embedder
    return LoadingSettings(
        models=config.cache_dir,
        snapshots=config.cache_dir / "index",
        embedder=EmbedderSettings(
            model=embedder.model,
            runtime=embedder.runtime,
            precision=embedder.precision,
            device=embedder.device,
            threads=embedder.threads,
            max_batch=embedder.max_batch,
            max_wait_ms=1000 * embedder.max_wait_seconds,
            max_queue=embedder.max_queue,
            recent_bytes=embedder.recent_bytes,
        ),
        index=index_settings(config),
        verifier=verifier_settings(config),
        examples=config.cache_dir / "examples",
        verified=config.semantic.verified,
    )
