"""What runs beside the requests: loading, following the store, sweeping, gauges, snapshots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from cachemw.changes import ChangeFeed
from cachemw.checkpoint.checkpointer import Checkpointer
from cachemw.gauges import Gauges
from cachemw.http.control import Readiness
from cachemw.learner import Learner
from cachemw.loading import SemanticLoader
from cachemw.metrics import Metrics
from cachemw.quotas.evictor import Evictor
from cachemw.stores.base import DocumentStore

log = logging.getLogger("cachemw.upkeep")


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """Seconds between two turns: looks at the change log, sweeps of the store, snapshots (0: none).

    `expire`: expired vectors crowd out live ones in a search, so they go soon. `gauge`: a worker's
    gauges are read by whichever worker is asked.
    """

    poll: float
    sweep: float
    snapshot: float
    expire: float = 1.0
    gauge: float = 5.0
    learn: float = 0.3
    policies: float = 2.0
    evict: float = 1.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept up; `loader` is None where there is no semantic tier."""

    store: DocumentStore
    feed: ChangeFeed
    loader: SemanticLoader | None
    learner: Learner
    evictor: Evictor


class Upkeep:
    """Runs all of it."""

    def __init__(
        self,
        settings: UpkeepSettings,
        kept: Kept,
        checkpointer: Checkpointer,
        gauges: Gauges,
        readiness: Readiness,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._store = kept.store
        self._feed = kept.feed
        self._loader = kept.loader
        self._learner = kept.learner
        self._evictor = kept.evictor
        self._checkpointer = checkpointer
        self._gauges = gauges
        self._readiness = readiness
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin in the background: requests are served from the first moment."""
        settings = self._settings
        self._begin(self._load())
        self._begin(self._feed.run(settings.poll))
        self._begin(_every(settings.sweep, self._sweep))
        self._begin(_every(settings.gauge, self._gauges.refresh))
        self._begin(_every(settings.policies, self._learner.reload))
        self._begin(self._evictor.run(settings.evict))
        if self._loader is not None:
            self._begin(_every(settings.expire, self._expire))
            self._begin(_every(settings.learn, self._learner.step))
            if settings.snapshot and self._store.durable:
                self._begin(_every(settings.snapshot, self._snapshot))

    async def aclose(self) -> None:
        """Stop, and release what was loaded."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._checkpointer.aclose()
        if self._loader is not None:
            await self._loader.aclose()

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name="cachemw-upkeep"))

    async def _load(self) -> None:
        if self._loader is not None:
            await self._loader.load()
        # Ready also without the semantic tier: its failure costs hits, not answers.
        self._readiness.start()

    async def _expire(self) -> None:
        if self._loader is not None:
            await self._loader.expire()

    async def _snapshot(self) -> None:
        parts = None if self._loader is None else self._loader.parts
        if parts is not None:
            await self._checkpointer.run(parts.embedder, len(parts.index))

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
