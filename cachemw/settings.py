"""The configuration in the terms of the parts: what `app.py` hands to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cachemw.config import Config, store_url
from cachemw.embed.settings import EmbedderSettings
from cachemw.index.partitions import IndexSettings
from cachemw.keep import KeepSettings
from cachemw.loading import LoadingSettings
from cachemw.semantic import SemanticSettings
from cachemw.stores.settings import StoreSettings
from cachemw.upkeep import UpkeepSettings


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
    """Return what decides on semantic hits."""
    semantic = config.semantic
    return SemanticSettings(
        semantic.threshold, semantic.top_k, semantic.max_chars, semantic.max_temperature
    )


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
    )
