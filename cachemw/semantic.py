"""The semantic tier: near questions inside one partition, decided by policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cachemw.ask import Ask, Asked
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.endpoints.base import Json
from cachemw.errors import CacheComponentError, EmbedderUnavailable
from cachemw.index.partitions import PartitionedIndex
from cachemw.keys import compatibility_key
from cachemw.lookup import Lookup, Place
from cachemw.metrics import Metrics
from cachemw.replay import Hit
from cachemw.states import DependencyState
from cachemw.stores.base import Document, Embedded, Vector
from cachemw.weigh import Weigher

# What a call takes to be on its way, so that the embedding does not compete with it for the CPU.
_CALL_FIRST_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class SemanticSettings:
    """Which requests are looked up by meaning.

    Requests of more than `max_chars` characters, or that sample above `max_temperature`, if there
    is one, are exact-only.
    """

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
    """What takes time to load: embedder behind its batcher, index of its vectors, weigher."""

    embedder: Embedder
    batcher: MicroBatcher
    index: PartitionedIndex
    weigher: Weigher


class SemanticTier:
    """Looks for a servable answer to a near question.

    Until its parts are attached, and after any failure of theirs, everything is a miss. A text that
    the embedder would cut is not looked up: two long prompts that begin alike would look the same.
    """

    def __init__(
        self,
        settings: SemanticSettings,
        lookup: Lookup,
        state: DependencyState,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._lookup = lookup
        self._monotonic = monotonic
        self._state = state
        self._metrics = metrics
        self._parts: SemanticParts | None = None

    def attach(self, parts: SemanticParts) -> None:
        """Begin to serve."""
        self._parts = parts

    def prepare(self, ask: Ask) -> None:
        """Find the question; what comes of it stays in `ask.asked`."""
        ask.asked = self._asked(ask)

    async def find(self, ask: Ask) -> Hit | None:
        """Return a hit to a prepared request, or None; what was decided stays in `ask`."""
        parts, asked = self._parts, ask.asked
        if parts is None or asked is None:
            return None
        if not parts.index.has(asked.partition) or not self._lookup.worthwhile(ask):
            # Nothing to compare with: the embedding is made while the upstream thinks, once the
            # call is on its way, if there will be one.
            if not ask.directives.only_if_cached:
                loop = asyncio.get_running_loop()
                loop.call_later(_CALL_FIRST_SECONDS, self._embedding, parts, asked)
            return None
        try:
            started = self._monotonic()
            vector = await self._embedding(parts, asked)
            place = Place(parts.index, parts.weigher)
            hit = await self._lookup.run(ask, asked, vector, place, started)
        except EmbedderUnavailable as error:
            self._state.down(type(error).__name__)
        except CacheComponentError as error:
            self._state.down(type(error).__name__, "search")
        else:
            self._state.up("search")
            return hit
        return None

    async def categorised(self, ask: Ask) -> bool:
        """Settle the category of a request; returns whether there is nothing to be unsure of.

        That is False where the question has one and its embedding could not be made.
        """
        parts, asked = self._parts, ask.asked
        if parts is None or asked is None or ask.named is not None:
            return True
        try:
            vector = await self._embedding(parts, asked)
        except CacheComponentError:  # `embedded` will meet it again, and say so
            return False
        self._lookup.classify(ask, vector)
        return True

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


def _retrieve(future: asyncio.Future[Vector]) -> None:
    if not future.cancelled():
        future.exception()
