"""Loading the semantic tier: the embedder, and an index that holds what the store does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from cachemw_policies.category import PolicySet

from cachemw.categories.classify import CategoryClassifier
from cachemw.categories.example_vectors import ExampleVectors, Vectors
from cachemw.changes import ChangeFeed, Followed
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import CachemwError, EmbedderUnavailable, StoreUnavailable
from cachemw.exact import ExactTier
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot import load as load_snapshot
from cachemw.learner import Learner, Train
from cachemw.metrics import Metrics
from cachemw.semantic import SemanticParts, SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.base import Vector
from cachemw.verify.base import Verifier
from cachemw.verify.lane import VerifierLane
from cachemw.verify.load import load_verifier
from cachemw.verify.settings import SHIPPED, VerifierSettings
from cachemw.weigh import Weigher

Embed = Callable[[Sequence[str]], Vectors]
LoadVerifier = Callable[[VerifierSettings, Path, str], Verifier | None]

log = logging.getLogger("cachemw.loading")


@dataclass(frozen=True, slots=True)
class LoadingSettings:
    """`models` is where prepared embedders lie, `snapshots` where the index's snapshot does."""

    models: Path
    snapshots: Path
    embedder: EmbedderSettings
    index: IndexSettings
    verifier: VerifierSettings
    examples: Path
    verified: int


@dataclass(frozen=True, slots=True)
class LoadedInto:
    """What is given what was loaded."""

    tier: SemanticTier
    exact: ExactTier
    feed: ChangeFeed
    learner: Learner
    metrics: Metrics


class SemanticLoader:
    """Loads what the semantic tier needs and attaches it; owns it until the end.

    An embedder or index that cannot be loaded leaves everything a miss: that costs hits, not
    answers.
    """

    def __init__(
        self,
        settings: LoadingSettings,
        into: LoadedInto,
        state: DependencyState,
        *,
        clock: Callable[[], float],
        load: Callable[[EmbedderSettings, Path], Embedder] = load_embedder,
        load_judge: LoadVerifier = load_verifier,
    ) -> None:
        self._settings = settings
        self._into = into
        self._feed = into.feed
        self._state = state
        self._clock = clock
        self._load_embedder = load
        self._load_verifier = load_judge
        self._embed: Embed = _no_embedder
        self._lane: VerifierLane | None = None
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
            self._lane, scale = await self._judging(embedder)
            train = await self._trainer(embedder)
            self.parts = await self._filled(embedder)
            await self._into.learner.begin(scale, train)
        except CachemwError as error:
            log.error("no semantic tier: %s", error)
            self._state.down(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever a model or a library raises
            log.error("no semantic tier", extra={"error": type(error).__name__})
            self._state.down(type(error).__name__)
        else:
            self._into.tier.attach(self.parts)

    async def expire(self) -> None:
        """Remove from the index what has expired: no change log tells of that."""
        if self.parts is not None:
            await self.parts.index.expire(self._clock())

    async def aclose(self) -> None:
        """Release the embedder and stop the index."""
        if self._lane is not None:
            await self._lane.aclose()
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
        self._embed = partial(_through, batcher, asyncio.get_running_loop())
        return SemanticParts(embedder, batcher, index, self._weigher())

    async def _judging(self, embedder: Embedder) -> tuple[VerifierLane | None, str]:
        """Return the verifier on its thread, None for the cosine, and its scores' scale."""
        settings = self._settings
        load = partial(
            self._load_verifier, settings.verifier, settings.models, embedder.fingerprint
        )
        verifier = await asyncio.get_running_loop().run_in_executor(None, load)
        if verifier is None:
            return None, f"cosine {embedder.fingerprint}"
        wanted = settings.verifier
        lane = VerifierLane(
            verifier,
            timeout_s=wanted.timeout_ms / 1000,
            max_batch=wanted.max_batch,
            max_queue=wanted.max_queue,
        )
        await lane.start()
        return lane, verifier.fingerprint

    async def _trainer(self, embedder: Embedder) -> Train:
        """Return what trains a classifier; the examples' vectors are made before requests come."""
        self._embed = embedder.embed
        vectors = ExampleVectors(
            lambda texts: self._embed(texts),  # noqa: PLW0108 - it changes
            embedder.fingerprint,
            self._settings.examples,
        )
        train = partial(_trained, vectors)
        await asyncio.to_thread(train, self._into.learner.policies)
        return train

    def _weigher(self) -> Weigher:
        metrics = self._into.metrics
        state = metrics.dependency("verifier")
        english = self._settings.verifier.model == SHIPPED
        most = self._settings.verified
        exact, lane = self._into.exact, self._lane
        return Weigher(exact, lane, state, metrics, most=most, english_only=english)

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


def _trained(vectors: ExampleVectors, policies: PolicySet) -> CategoryClassifier:
    return CategoryClassifier.trained(policies, vectors)


def _no_embedder(_: Sequence[str]) -> Vectors:
    raise EmbedderUnavailable("the embedder is not loaded")


def _through(
    batcher: MicroBatcher, loop: asyncio.AbstractEventLoop, texts: Sequence[str]
) -> Vectors:
    """Embed beside requests, from another thread than the loop's."""

    async def all_of_them() -> list[Vector]:
        return await asyncio.gather(*(batcher.embed(text) for text in texts))

    return np.stack(asyncio.run_coroutine_threadsafe(all_of_them(), loop).result())
