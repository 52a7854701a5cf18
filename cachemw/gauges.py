"""Figures that are looked up when they are asked for: sizes of the store, memory and index."""

from __future__ import annotations

from cachemw.categories.views import CategoryViews
from cachemw.changes import ChangeFeed
from cachemw.exact import Resident
from cachemw.loading import SemanticLoader
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.stores.base import DocumentStore


class Gauges:
    """Brings the gauges up to date."""

    def __init__(
        self,
        store: DocumentStore,
        lru: ByteLru[Resident],
        feed: ChangeFeed,
        loader: SemanticLoader | None,
        views: CategoryViews,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._lru = lru
        self._feed = feed
        self._loader = loader
        self._views = views
        self._metrics = metrics
        self._builds = 0

    async def refresh(self) -> None:
        """Look everything up; raises nothing."""
        metrics = self._metrics
        metrics.bytes.labels("memory").set(self._lru.bytes)
        metrics.changes_lag.set(self._feed.lag)
        self._views.gauges()
        if self._loader is not None and self._loader.parts is not None:
            index = self._loader.parts.index.stats()
            metrics.index_vectors.set(index.vectors)
            metrics.index_tombstones.set(index.tombstones)
            metrics.index_builds.inc(index.builds - self._builds)
            self._builds = index.builds
        try:
            stats = await self._store.stats()
        except Exception:  # noqa: BLE001 - the metrics that are there are needed most just then
            metrics.store_failures.labels("stats").inc()
            return
        metrics.store_bytes.set(stats.stored_bytes)
