"""The semantic tier: near questions inside one partition, decided by policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import (
    ClientLimits,
    Decision,
    Outcome,
    decide,
    may_serve,
    shortlist,
)
from cachemw_policies.personal import personal

from cachemw.accounting.ledger import Accounts
from cachemw.ask import Ask, Asked, Scored
from cachemw.categories.board import Categories
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.endpoints.base import Json
from cachemw.errors import CacheComponentError, EmbedderUnavailable
from cachemw.exact import Resident
from cachemw.index.partitions import PartitionedIndex
from cachemw.keys import compatibility_key
from cachemw.metrics import Metrics
from cachemw.replay import Hit
from cachemw.states import DependencyState
from cachemw.stores.base import Document, Embedded, Vector
from cachemw.weigh import Shortlisted, Weigher

# What a call takes to be on its way, so that the embedding does not compete with it for the CPU.
_CALL_FIRST_SECONDS = 0.003


@dataclass(frozen=True, slots=True)
class SemanticSettings:
    """Of the `top_k` nearest, up to `verified` of at least `min_similarity` (cosine) are weighed.

    Requests of more than `max_chars` characters, or that sample above `max_temperature`, if there
    is one, are exact-only.
    """

    min_similarity: float
    top_k: int
    verified: int
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


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision depends on beside the candidates.

    `clock` in seconds since the epoch, `monotonic` in seconds.
    """

    categories: Categories
    accounts: Accounts
    clock: Callable[[], float]
    monotonic: Callable[[], float]


class SemanticTier:
    """Looks for a servable answer to a near question.

    Until its parts are attached, and after any failure of theirs, everything is a miss. A text that
    the embedder would cut is not looked up: two long prompts that begin alike would look the same.
    """

    def __init__(
        self,
        settings: SemanticSettings,
        around: Circumstances,
        state: DependencyState,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._around = around
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
        if not parts.index.has(asked.partition) or not self._may_look(ask):
            # Nothing to compare with: the embedding is made while the upstream thinks, once the
            # call is on its way, if there will be one.
            if not ask.directives.only_if_cached:
                loop = asyncio.get_running_loop()
                loop.call_later(_CALL_FIRST_SECONDS, self._embedding, parts, asked)
            return None
        try:
            return await self._look_up(parts, ask, asked)
        except EmbedderUnavailable as error:
            self._state.down(type(error).__name__)
        except CacheComponentError as error:
            self._state.down(type(error).__name__, "search")
        return None

    async def categorised(self, ask: Ask) -> None:
        """Settle the category of a request that nothing was looked up for."""
        parts, asked = self._parts, ask.asked
        if parts is None or asked is None or ask.named is not None:
            return
        with suppress(CacheComponentError):  # `embedded` will meet it again, and say so
            vector = await self._embedding(parts, asked)
            ask.category = self._around.categories.classify(vector)

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

    def _may_look(self, ask: Ask) -> bool:
        """Whether a lookup may come to anything, as far as that is known without an embedding."""
        if ask.named is None:
            return True
        allowed = may_serve(self._around.categories.policy(ask.named))
        return allowed and not self._around.accounts.paused(ask.named)

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

    async def _look_up(self, parts: SemanticParts, ask: Ask, asked: Asked) -> Hit | None:
        """Embed, name the category, search, weigh, decide; and book what it cost."""
        around = self._around
        started = around.monotonic()
        vector = await self._embedding(parts, asked)
        if ask.named is None:
            ask.category = around.categories.classify(vector)
        policy = around.categories.policy(ask.category)
        state = around.categories.state(ask.category)
        found = _NOTHING
        if not state.paused and _compares(policy, asked):
            found = await self._shortlisted(parts, asked, vector)
        limits = ClientLimits(ask.directives.threshold or -1.0, ask.max_age)
        decision = decide(found.weighed, policy, state, ask.load, around.clock(), limits)
        return self._concluded(ask, decision, found, around.monotonic() - started)

    async def _shortlisted(self, parts: SemanticParts, asked: Asked, vector: Vector) -> Shortlisted:
        """Search, and weigh the nearest. What is gone from the store leaves the index too."""
        settings = self._settings
        with self._metrics.stage("search"):
            candidates = await parts.index.search(asked.partition, vector, settings.top_k)
        self._state.up("search")
        nearest = shortlist(candidates, settings.min_similarity, settings.verified)
        if not nearest:
            return _NOTHING
        found = await parts.weigher.weigh(asked.text, nearest)
        for key in found.gone:
            await parts.index.remove(key)
        return found

    def _concluded(
        self, ask: Ask, decision: Decision, found: Shortlisted, seconds: float
    ) -> Hit | None:
        """Note the decision where it is counted and asked for, and return the hit if it is one."""
        ask.decision = decision
        best = decision.best
        resident = None if best is None else found.residents.get(best.candidate.key)
        served = decision.served is not None and resident is not None
        self._metrics.decided(ask.category, decision.outcome.value)
        if best is not None:
            outcome = "hit" if served else "miss"
            similarity = self._metrics.semantic_similarity(ask.category, outcome)
            similarity.observe(best.candidate.similarity)
        if decision.outcome is not Outcome.PAUSED:
            self._book(ask, resident if served else None, seconds)
        if best is not None and resident is not None and best.score is not None:
            ask.near = self._scored(ask, resident, best.score, served=served)
        if not served or best is None or resident is None:
            return None
        return Hit(resident, "semantic", best.candidate.similarity, decision.load)

    def _scored(self, ask: Ask, resident: Resident, score: float, *, served: bool) -> Scored:
        categories = self._around.categories
        weight = 1.0 if served else categories.shadow_rate(ask.category)
        return Scored(resident.document, score, ask.category, categories.scale, weight)

    def _book(self, ask: Ask, resident: Resident | None, seconds: float) -> None:
        accounts = self._around.accounts
        if resident is None:
            accounts.note(ask.category, seconds)
            return
        document = resident.document
        usd = ask.route.price.of(document.prompt_tokens, document.completion_tokens)
        saved = document.upstream_seconds
        accounts.note(ask.category, seconds, saved_seconds=saved, saved_usd=usd)


_NOTHING = Shortlisted((), {}, ())


def _compares(policy: CategoryPolicy, asked: Asked) -> bool:
    """Whether near questions are looked at; not for personal data where answers are personal."""
    return may_serve(policy) and not (policy.personalised and personal(asked.text))


def _retrieve(future: asyncio.Future[Vector]) -> None:
    if not future.cancelled():
        future.exception()
