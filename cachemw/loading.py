"""Loading the semantic tier: the embedder, and an index that holds what the store does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cachemw.changes import ChangeFeed, Followed
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import CachemwError, StoreUnavailable
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot import load as load_snapshot
from cachemw.semantic import SemanticParts, SemanticTier
from cachemw.states import DependencyState

log = logging.getLogger("cachemw.loading")


@dataclass(frozen=True, slots=True)
class LoadingSettings:
    """`models` is where prepared embedders lie, `snapshots` where the index's snapshot does."""

    models: Path
    snapshots: Path
    embedder: EmbedderSettings
    index: IndexSettings


class SemanticLoader:
    """Loads what the semantic tier needs and attaches it; owns it until the end.

    An embedder or index that cannot be loaded leaves everything a miss: that costs hits, not
    answers.
    """

    def __init__(
        self,
        settings: LoadingSettings,
        tier: SemanticTier,
        feed: ChangeFeed,
        state: DependencyState,
        *,
        clock: Callable[[], float],
        load: Callable[[EmbedderSettings, Path], Embedder] = load_embedder,
    ) -> None:
        self._settings = settings
        self._tier = tier
        self._feed = feed
        self._state = state
        self._clock = clock
        self._load_embedder = load
        self.parts: SemanticParts | None = None

    def evictions(self) -> int:
        """Return how many vectors the index has dropped to stay within its bound."""
        return 0 if self.parts is None else self.parts.index.evictions

    async def load(self) -> None:
        """Load and attach; raises nothing."""
        settings = self._settings
        load = partial(self._load_embedder, settings.embedder, settings.models)
        try:
            embedder = await asyncio.get_running_loop().run_in_executor(None, load)
            self.parts = await self._filled(embedder)
        except CachemwError as error:
            log.error("no semantic tier: %s", error)
            self._state.down(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever a model or a library raises
            log.error("no semantic tier", extra={"error": type(error).__name__})
            self._state.down(type(error).__name__)
        else:
            self._tier.attach(self.parts)

    async def expire(self) -> None:
        """Remove from the index what has expired: no change log tells of that."""
        if self.parts is not None:
            await self.parts.index.expire(self._clock())

    async def aclose(self) -> None:
        """Release the embedder and stop the index."""
        if self.parts is not None:
            await self.parts.batcher.aclose()
            await self.parts.index.aclose()
            self.parts.embedder.close()

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
        settings = self._settings
        restore = partial(
            load_snapshot,
            settings.snapshots,
            embedder.fingerprint,
            embedder.dimension,
            settings.index,
        )
        restored = await asyncio.get_running_loop().run_in_executor(None, restore)
        if restored is None:
            return PartitionedIndex(embedder.dimension, settings.index), ""
        return restored.index, restored.cursor
