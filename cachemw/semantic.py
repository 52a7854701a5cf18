"""The semantic tier: near questions inside one partition, decided by policy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from cachemw_policies.semantic import Decision, decide, effective_threshold

from cachemw.ask import Ask, Asked
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.endpoints.base import Json
from cachemw.errors import CacheComponentError, EmbedderUnavailable
from cachemw.exact import ExactTier, Miss, Resident
from cachemw.index.partitions import PartitionedIndex
from cachemw.keys import compatibility_key
from cachemw.metrics import Metrics
from cachemw.replay import Hit
from cachemw.states import DependencyState
from cachemw.stores.base import Document, Embedded, Vector

# What a call takes to be on its way, so that the embedding does not compete with it for the CPU.
_CALL_FIRST_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class SemanticSettings:
    """`threshold` is a cosine similarity; `top_k` candidates are weighed; texts are bounded.

    Requests that sample above `max_temperature`, if there is one, are exact-only.
    """

    threshold: float
    top_k: int
    max_chars: int
    max_temperature: float | None = None

    def excludes(self, params: Json, text: str) -> bool:
        """Whether a request is exact-only by these settings."""
        temperature, limit = params.get("temperature"), self.max_temperature
        if limit is not None and isinstance(temperature, int | float) and temperature > limit:
            return True
        return len(text) > self.max_chars


@dataclass(frozen=True, slots=True)
class SemanticParts:
    """What takes time to load: the embedder behind its batcher, and the index of its vectors."""

    embedder: Embedder
    batcher: MicroBatcher
    index: PartitionedIndex


class SemanticTier:
    """Looks for a servable answer to a near question.

    Until its parts are attached, and after any failure of theirs, everything is a miss. A text that
    the embedder would cut is not looked up: two long prompts that begin alike would look the same.
    """

    def __init__(
        self,
        settings: SemanticSettings,
        exact: ExactTier,
        state: DependencyState,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._exact = exact
        self._state = state
        self._metrics = metrics
        self._parts: SemanticParts | None = None
        metrics.threshold.labels("default").set(settings.threshold)

    def attach(self, parts: SemanticParts) -> None:
        """Begin to serve."""
        self._parts = parts

    def prepare(self, ask: Ask) -> None:
        """Find the question; what comes of it stays in `ask.asked`."""
        ask.asked = self._asked(ask)

    async def find(self, ask: Ask) -> Hit | None:
        """Return a hit to a prepared request, or None."""
        parts, asked = self._parts, ask.asked
        if parts is None or asked is None:
            return None
        if not parts.index.has(asked.partition):
            # Nothing to compare with: the embedding is made while the upstream thinks, once the
            # call is on its way, if there will be one.
            if not ask.directives.only_if_cached:
                loop = asyncio.get_running_loop()
                loop.call_later(_CALL_FIRST_SECONDS, self._embedding, parts, asked)
            return None
        try:
            return await self._search(parts, ask, asked)
        except EmbedderUnavailable as error:
            self._state.down(type(error).__name__)
        except CacheComponentError as error:
            self._state.down(type(error).__name__, "search")
        return None

    async def embedded(self, ask: Ask) -> Embedded | None:
        """Return where the answer to `ask` stands in the index; None where it has no place."""
        if self._parts is None or ask.asked is None:
            return None
        try:
            vector = await self._embedding(self._parts, ask.asked)
        except CacheComponentError as error:
            self._state.down(type(error).__name__)
            return None
        return Embedded(ask.asked.partition, self._parts.embedder.fingerprint, vector)

    async def add(self, document: Document) -> None:
        """Make a stored document findable; vectors of another embedder are not compared."""
        parts, embedded = self._parts, document.embedded
        if parts is None or embedded is None:
            return
        if embedded.fingerprint == parts.embedder.fingerprint:
            await parts.index.add(
                embedded.partition, document.key, embedded.vector, document.expires_at
            )

    async def forget(self, keys: Iterable[bytes]) -> None:
        """Make documents unfindable at once; the change log would do it a moment later."""
        if self._parts is not None:
            for key in keys:
                await self._parts.index.remove(key)

    def _asked(self, ask: Ask) -> Asked | None:
        if self._parts is None:
            return None
        question = ask.endpoint.question(ask.params)
        if question is None or self._settings.excludes(ask.params, question.text):
            return None
        if self._parts.embedder.cuts(question.text):
            return None
        partition = compatibility_key(ask.scope, question.params_without, ask.endpoint.ignored)
        return Asked(question.text, partition)

    def _embedding(self, parts: SemanticParts, asked: Asked) -> asyncio.Future[Vector]:
        if asked.embedding is None:
            asked.embedding = asyncio.ensure_future(self._embed(parts, asked.text))
            # Nobody may come for it again, when the answer is not stored.
            asked.embedding.add_done_callback(_retrieve)
        return asked.embedding

    async def _embed(self, parts: SemanticParts, text: str) -> Vector:
        with self._metrics.stage("embed"):
            vector = await parts.batcher.embed(text)
        self._state.up()
        return vector

    async def _search(self, parts: SemanticParts, ask: Ask, asked: Asked) -> Hit | None:
        vector = await self._embedding(parts, asked)
        with self._metrics.stage("search"):
            candidates = await parts.index.search(asked.partition, vector, self._settings.top_k)
        self._state.up("search")
        threshold = effective_threshold(self._settings.threshold, ask.directives.threshold)
        decision = decide(candidates, threshold)
        hit = await self._first_servable(parts, ask, decision)
        outcome = "miss" if hit is None else "hit"
        if decision.best_similarity is not None:
            self._metrics.semantic_similarity("default", outcome).observe(decision.best_similarity)
        return hit

    async def _first_servable(
        self, parts: SemanticParts, ask: Ask, decision: Decision
    ) -> Hit | None:
        """Return the best candidate whose document is still there and fresh.

        What is gone from the store leaves the index too, or it would crowd out what is there. A
        store that fails is not asked for the next one: each time may cost its time limit.
        """
        for candidate in decision.servable:
            found = await self._exact.find(candidate.key, ask.max_age)
            if isinstance(found, Resident):
                return Hit(found, "semantic", candidate.similarity)
            if found is Miss.UNKNOWN:
                return None
            if found is Miss.ABSENT:
                await parts.index.remove(candidate.key)
        return None


def _retrieve(future: asyncio.Future[Vector]) -> None:
    if not future.cancelled():
        future.exception()
