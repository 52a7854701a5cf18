"""The quota's evictor joined to what it has to tell: memory, index, the change log, metrics."""

from __future__ import annotations

from collections.abc import Sequence

from cachemw.admin.build import Copies
from cachemw.metrics import Metrics


class Evictions:
    """Hears of what the evictor removes."""

    def __init__(self, copies: Copies, metrics: Metrics) -> None:
        self._copies = copies
        self._metrics = metrics

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Drop documents from memory and index."""
        await self._copies.forget(keys)

    def evicted(self, category: str, reason: str, count: int) -> None:
        """Count them."""
        self._metrics.evictions.labels(category, reason).inc(count)
