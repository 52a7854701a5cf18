"""What runs beside the requests: loading the semantic tier, sweeping, gauges."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import CachemwError, IndexUnavailable, StoreUnavailable
from cachemw.exact import Resident
from cachemw.http.control import Readiness
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.semantic import SemanticParts, SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore

log = logging.getLogger("cachemw.upkeep")


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """`cache_dir` holds prepared models; `sweep_seconds` stand between two sweeps."""

    cache_dir: Path
    embedder: EmbedderSettings
    index: IndexSettings
    sweep_seconds: float


class Upkeep:
    """Loads the embedder, rebuilds the index from the store, then removes what expires."""

    def __init__(
        self,
        settings: UpkeepSettings,
        store: DocumentStore,
        lru: ByteLru[Resident],
        semantic: SemanticTier | None,
        readiness: Readiness,
        state: DependencyState,
        metrics: Metrics,
        *,
        load: Callable[[EmbedderSettings, Path], Embedder] = load_embedder,
    ) -> None:
        self._settings = settings
        self._store = store
        self._lru = lru
        self._semantic = semantic
        self._readiness = readiness
        self._state = state
        self._metrics = metrics
        self._load_embedder = load
        self._parts: SemanticParts | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background: requests are served from the first moment."""
        self._task = asyncio.create_task(self._run(), name="cachemw-upkeep")

    async def refresh(self) -> None:
        """Bring the gauges up to date."""
        self._metrics.bytes.labels("memory").set(self._lru.bytes)
        if self._parts is not None:
            self._metrics.index_vectors.set(len(self._parts.index))
        try:
            stats = await self._store.stats()
        except Exception:  # noqa: BLE001 - the metrics that are there are needed most just then
            self._metrics.store_failures.labels("stats").inc()
            return
        self._metrics.entries.labels("default").set(stats.entries)
        self._metrics.bytes.labels("store").set(stats.stored_bytes)

    async def aclose(self) -> None:
        """Stop, and release the embedder."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._parts is not None:
            await self._parts.batcher.aclose()
            await self._parts.index.aclose()
            self._parts.embedder.close()

    async def _run(self) -> None:
        if self._semantic is not None:
            await self._load(self._semantic)
        # Ready also without the semantic tier: its failure costs hits, not answers.
        self._readiness.started = True
        while True:
            await asyncio.sleep(self._settings.sweep_seconds)
            await self._sweep()

    async def _load(self, semantic: SemanticTier) -> None:
        settings = self._settings
        loop = asyncio.get_running_loop()
        load = partial(self._load_embedder, settings.embedder, settings.cache_dir)
        try:
            embedder = await loop.run_in_executor(None, load)
            self._parts = await self._rebuilt(embedder)
        except CachemwError as error:
            log.error("no semantic tier: %s", error)
            self._state.down(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever a model or a library raises
            log.error("no semantic tier", extra={"error": type(error).__name__})
            self._state.down(type(error).__name__)
        else:
            semantic.attach(self._parts)

    async def _rebuilt(self, embedder: Embedder) -> SemanticParts:
        """Fill an index with what the store holds of this embedder's vectors."""
        settings = self._settings.embedder
        batcher = MicroBatcher(
            embedder,
            max_batch=settings.max_batch,
            max_queue=settings.max_queue,
            timeout_s=settings.max_wait_ms / 1000,
            recent_bytes=settings.recent_bytes,
        )
        await batcher.start()
        index = PartitionedIndex(embedder.dimension, self._settings.index)
        try:
            async for rows in self._store.index_rows(embedder.fingerprint):
                for row in rows:
                    with suppress(IndexUnavailable):  # one bad vector does not cost all others
                        embedded = row.embedded
                        await index.add(
                            embedded.partition, row.key, embedded.vector, row.expires_at
                        )
                await asyncio.sleep(0)
        except StoreUnavailable as error:
            self._state.down(type(error).__name__)
        log.info("index rebuilt from the store", extra={"vectors": len(index)})
        return SemanticParts(embedder, batcher, index)

    async def _sweep(self) -> None:
        try:
            removed = await self._store.remove_expired()
        except Exception:  # noqa: BLE001 - sweeping must go on; a request sets the store's state
            self._metrics.store_failures.labels("sweep").inc()
            return
        if removed:
            self._metrics.evictions.labels("default", "expired").inc(removed)
