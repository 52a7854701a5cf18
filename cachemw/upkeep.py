"""What runs beside the requests: loading the semantic tier, following the store, sweeping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cachemw.changes import ChangeFeed, Followed
from cachemw.checkpoint import Checkpointer
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import CachemwError, StoreUnavailable
from cachemw.exact import Resident
from cachemw.http.control import Readiness
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot import load as load_snapshot
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.semantic import SemanticParts, SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore

log = logging.getLogger("cachemw.upkeep")

# Expired vectors crowd out live ones, so they go soon; gauges are read by other workers too.
_EXPIRE_SECONDS = 1.0
_GAUGE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """`cache_dir` holds prepared models; the rest are seconds between two turns, 0 for never."""

    cache_dir: Path
    embedder: EmbedderSettings
    index: IndexSettings
    sweep_seconds: float
    poll_seconds: float
    snapshot_seconds: float


class Upkeep:
    """Loads the embedder, makes the index what the store is, and keeps both in order."""

    def __init__(
        self,
        settings: UpkeepSettings,
        store: DocumentStore,
        lru: ByteLru[Resident],
        feed: ChangeFeed,
        checkpointer: Checkpointer,
        semantic: SemanticTier | None,
        readiness: Readiness,
        state: DependencyState,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        load: Callable[[EmbedderSettings, Path], Embedder] = load_embedder,
    ) -> None:
        self._settings = settings
        self._store = store
        self._lru = lru
        self._feed = feed
        self._checkpointer = checkpointer
        self._semantic = semantic
        self._readiness = readiness
        self._state = state
        self._metrics = metrics
        self._clock = clock
        self._load_embedder = load
        self._parts: SemanticParts | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin in the background: requests are served from the first moment."""
        settings = self._settings
        self._begin(self._load())
        self._begin(self._feed.run(settings.poll_seconds))
        self._begin(_every(settings.sweep_seconds, self._sweep))
        self._begin(_every(_EXPIRE_SECONDS, self._expire))
        self._begin(_every(_GAUGE_SECONDS, self.refresh))
        if settings.snapshot_seconds and self._store.durable:
            self._begin(_every(settings.snapshot_seconds, self._checkpoint))

    async def refresh(self) -> None:
        """Bring the gauges up to date."""
        metrics = self._metrics
        metrics.bytes.labels("memory").set(self._lru.bytes)
        metrics.changes_lag.set(self._feed.lag)
        if self._parts is not None:
            metrics.index_vectors.set(len(self._parts.index))
        try:
            stats = await self._store.stats()
        except Exception:  # noqa: BLE001 - the metrics that are there are needed most just then
            metrics.store_failures.labels("stats").inc()
            return
        metrics.entries.labels("default").set(stats.entries)
        metrics.bytes.labels("store").set(stats.stored_bytes)

    async def aclose(self) -> None:
        """Stop, and release the embedder."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._checkpointer.aclose()
        if self._parts is not None:
            await self._parts.batcher.aclose()
            await self._parts.index.aclose()
            self._parts.embedder.close()

    def _begin(self, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _load(self) -> None:
        if self._semantic is not None:
            await self._load_semantic(self._semantic)
        # Ready also without the semantic tier: its failure costs hits, not answers.
        self._readiness.started = True

    async def _load_semantic(self, semantic: SemanticTier) -> None:
        settings = self._settings
        loop = asyncio.get_running_loop()
        load = partial(self._load_embedder, settings.embedder, settings.cache_dir)
        try:
            embedder = await loop.run_in_executor(None, load)
            self._parts = await self._filled(embedder)
        except CachemwError as error:
            log.error("no semantic tier: %s", error)
            self._state.down(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever a model or a library raises
            log.error("no semantic tier", extra={"error": type(error).__name__})
            self._state.down(type(error).__name__)
        else:
            semantic.attach(self._parts)

    async def _filled(self, embedder: Embedder) -> SemanticParts:
        """Return the parts with an index that holds what the store has of this embedder's."""
        settings = self._settings.embedder
        batcher = MicroBatcher(
            embedder,
            max_batch=settings.max_batch,
            max_queue=settings.max_queue,
            timeout_s=settings.max_wait_ms / 1000,
            recent_bytes=settings.recent_bytes,
        )
        await batcher.start()
        index, cursor = await self._restored(embedder)
        await self._feed.attach(Followed(index, embedder.fingerprint), cursor)
        try:
            await self._feed.catch_up()
        except StoreUnavailable as error:
            # The feed goes on trying, and fills the index when the store is back.
            self._state.down(type(error).__name__)
        log.info("index follows the store", extra={"vectors": len(index)})
        return SemanticParts(embedder, batcher, index)

    async def _restored(self, embedder: Embedder) -> tuple[PartitionedIndex, str]:
        """Return the index of the last snapshot with its cursor, or an empty one."""
        index = self._settings.index
        restore = partial(
            load_snapshot, self._checkpointer.folder, embedder.fingerprint, embedder.dimension, index
        )
        restored = await asyncio.get_running_loop().run_in_executor(None, restore)
        if restored is None:
            return PartitionedIndex(embedder.dimension, index), ""
        return restored.index, restored.cursor

    async def _expire(self) -> None:
        if self._parts is not None:
            await self._parts.index.expire(self._clock())

    async def _checkpoint(self) -> None:
        if self._parts is not None:
            await self._checkpointer.run(self._parts.embedder, len(self._parts.index))

    async def _sweep(self) -> None:
        try:
            removed = await self._store.remove_expired()
        except Exception:  # noqa: BLE001 - sweeping must go on; a request sets the store's state
            self._metrics.store_failures.labels("sweep").inc()
            return
        if removed:
            self._metrics.evictions.labels("default", "expired").inc(removed)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do work again and again; a turn that fails unforeseen is logged, and the next one comes."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception as error:  # noqa: BLE001
            log.error("upkeep failed", extra={"error": type(error).__name__})
