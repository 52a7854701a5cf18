"""One semantic lookup: category, candidates, decision, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import (
    ClientLimits,
    Decision,
    Outcome,
    Weighed,
    decide,
    may_serve,
    shortlist,
)
from cachemw_policies.personal import personal

from cachemw.accounting.ledger import Accounts
from cachemw.ask import Ask, Asked, Scored
from cachemw.categories.board import Categories
from cachemw.exact import Resident
from cachemw.index.partitions import PartitionedIndex
from cachemw.metrics import Metrics
from cachemw.replay import Hit
from cachemw.stores.base import Vector
from cachemw.weigh import Shortlisted, Weigher


@dataclass(frozen=True, slots=True)
class LookupSettings:
    """The `top_k` nearest of at least `min_similarity`, a cosine, are weighed."""

    min_similarity: float
    top_k: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where candidates are looked for, and what weighs them."""

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


NOTHING = Shortlisted((), {}, ())


class Lookup:
    """Decides on a request whose embedding is known."""

    def __init__(self, settings: LookupSettings, around: Circumstances, metrics: Metrics) -> None:
        self._settings = settings
        self._around = around
        self._metrics = metrics

    def worthwhile(self, ask: Ask) -> bool:
        """Whether a lookup may come to anything, as far as that is known without an embedding.

        A paused category that a client has named is let through here, as a probe: without any it
        would be paused for ever.
        """
        if ask.named is None:
            return True
        allowed = may_serve(self._around.categories.policy(ask.named))
        return allowed and self._around.categories.allowed(ask.named, ask.load)

    def classify(self, ask: Ask, vector: Vector) -> None:
        """Name the category of a request, unless its client has."""
        if ask.named is None:
            ask.category = self._around.categories.classify(vector)

    async def run(
        self, ask: Ask, asked: Asked, vector: Vector, place: Place, started: float
    ) -> Hit | None:
        """Search, weigh, decide; and book what it cost since `started`, a monotonic time."""
        around = self._around
        self.classify(ask, vector)
        policy = around.categories.policy(ask.category)
        # What is named has been let through before, where it is paused, and is not asked for twice.
        state = around.categories.standing(ask.category).state
        if ask.named is None:
            state = around.categories.state(ask.category, ask.load)
        found = NOTHING
        if not state.paused and _compares(policy, asked):
            found = await self._shortlisted(place, asked, vector, ask.directives.threshold)
        limits = ClientLimits(ask.directives.threshold or -1.0, ask.max_age)
        now = around.clock()
        decision = decide(self._aged(ask, found, now), policy, state, ask.load, now, limits)
        return self._concluded(ask, decision, found, around.monotonic() - started)

    async def _shortlisted(
        self, place: Place, asked: Asked, vector: Vector, wanted: float | None
    ) -> Shortlisted:
        """Search, and weigh the nearest. What is gone from the store leaves the index too.

        `wanted` is the least cosine that the client takes, if it says one.
        """
        settings = self._settings
        least = max(settings.min_similarity, wanted or 0.0)
        with self._metrics.stage("search"):
            candidates = await place.index.search(asked.partition, vector, settings.top_k)
        nearest = shortlist(candidates, least, settings.top_k)
        if not nearest:
            return NOTHING
        found = await place.weigher.weigh(asked.text, nearest)
        for key in found.gone:
            await place.index.remove(key)
        return found

    def _aged(self, ask: Ask, found: Shortlisted, now: float) -> list[Weighed]:
        """Bound each one's time by its own category too, as an exact hit's is."""
        freshness = self._around.categories.freshness
        left = {
            k: freshness(r.document, now, ask.load).ttl_left for k, r in found.residents.items()
        }
        ends = ((one, now + left[one.candidate.key]) for one in found.weighed)
        return [replace(one, expires_at=min(one.expires_at, end)) for one, end in ends]

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
        # An answer that was too old may differ for that alone: it says nothing of the score.
        telling = decision.outcome is not Outcome.STALE
        if best is not None and resident is not None and best.score is not None and telling:
            ask.near = self._scored(ask, resident, best.score, served=served)
        if not served or best is None or resident is None:
            return None
        return Hit(resident, "semantic", best.candidate.similarity, decision.load)

    def _scored(self, ask: Ask, resident: Resident, score: float, *, served: bool) -> Scored:
        categories = self._around.categories
        # Where nothing is served there is no coin that decides on checks.
        open_to_all = served or (ask.decision is not None and ask.decision.threshold is None)
        weight = 1.0 if open_to_all else categories.shadow_rate(ask.category, ask.load)
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


def _compares(policy: CategoryPolicy, asked: Asked) -> bool:
    """Whether near questions are looked at; not for personal data where answers are personal."""
    return may_serve(policy) and not (policy.personalised and personal(asked.text))
