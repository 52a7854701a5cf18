"""Which semantic candidate, if any, may be served: pure functions of plain values (own design).

The service searches, reads the candidates' documents, asks the guards and the verifier, and hands
in what came of it; nothing here does I/O, knows the time or keeps state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.freshness import Freshness, freshness


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored answer whose question is near: its key and cosine similarity in [-1, 1]."""

    key: bytes
    similarity: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate with what was found out about it.

    `objection` names the guard that found a difference, if one did; `score` is None where nothing
    could be said (guarded, the verifier failed, or it came too late). Times in seconds since the
    epoch.
    """

    candidate: Candidate
    created_at: float
    expires_at: float
    score: float | None = None
    objection: str | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A threshold on the score and where it comes from: `cold start`, `calibrated`, ...

    `labels` at or above it were judged, `errors` of them wrong. None serves nothing.
    """

    threshold: float | None
    origin: str
    labels: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class CategoryState:
    """What has been learnt of a category: its thresholds for `delta` and for `delta_overload`.

    `paused`: hits there cost more than they save, so that only some lookups are made.
    """

    normal: Bar
    overload: Bar
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What the client asks for; it tightens and never loosens. Cosine similarity and seconds."""

    min_similarity: float = -1.0
    max_age: float | None = None


class Outcome(StrEnum):
    """What came of a lookup; the values are metric labels."""

    SERVED = "served"
    NOTHING_NEAR = "nothing_near"
    STALE = "stale"
    GUARDED = "guarded"
    UNVERIFIED = "unverified"
    BELOW = "below_threshold"
    NOT_ALLOWED = "not_allowed"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be served, the nearest there was to it, and why.

    `origin` says where the threshold comes from. `ttl_left` in seconds.
    """

    outcome: Outcome
    best: Weighed | None
    threshold: float | None
    load: float
    origin: str = ""
    ttl_left: float = 0.0

    @property
    def served(self) -> Weighed | None:
        """The candidate to serve, if any."""
        return self.best if self.outcome is Outcome.SERVED else None


def blended(normal: float, overload: float, load: float) -> float:
    """Move from one value to another as `load` goes from 0 to 1; it is cut to that range."""
    share = min(1.0, max(0.0, load))
    return normal + share * (overload - normal)


def may_serve(policy: CategoryPolicy) -> bool:
    """Whether a category may have semantic hits at all."""
    return policy.delta > 0 and policy.allow_caching


def threshold_in_force(policy: CategoryPolicy, state: CategoryState, load: float) -> float | None:
    """Return the least score that is served, None where nothing is.

    Load moves it down and never up, and not at all where the category is safety-critical.
    """
    if not may_serve(policy):
        return None
    normal, overload = state.normal.threshold, state.overload.threshold
    if normal is None or overload is None or policy.safety_critical or load <= 0:
        return normal
    return blended(normal, min(normal, overload), load)


def ttl_in_force(policy: CategoryPolicy, load: float) -> float:
    """Return how old an answer may be, in seconds; load makes it longer and never shorter."""
    if policy.safety_critical or load <= 0:
        return policy.ttl
    return blended(policy.ttl, max(policy.ttl, policy.ttl_overload), load)


def fresh_for(
    policy: CategoryPolicy,
    load: float,
    *,
    created_at: float,
    expires_at: float,
    now: float,
    max_age: float | None = None,
) -> Freshness:
    """Weigh an answer's age against its own expiry, the policy's TTL and the client's `max_age`.

    `expires_at` is when the store drops it, at the longest TTL there may be. A sliding TTL is kept
    there alone, moved on by whoever uses the answer.
    """
    if not policy.sliding:
        expires_at = min(expires_at, created_at + ttl_in_force(policy, load))
    return freshness(created_at, expires_at, now, max_age)


def shortlist(candidates: Sequence[Candidate], min_similarity: float, most: int) -> list[Candidate]:
    """Return the `most` nearest that are near enough to be read and verified."""
    near = [candidate for candidate in candidates if candidate.similarity >= min_similarity]
    return sorted(near, key=lambda candidate: -candidate.similarity)[:most]


def decide(
    weighed: Sequence[Weighed],
    policy: CategoryPolicy,
    state: CategoryState,
    load: float,
    now: float,
    client: ClientLimits = ClientLimits(),
) -> Decision:
    """Choose the candidate with the highest score that nothing speaks against.

    Of those that may not be served the one that came nearest is named, with its reason: what was
    scored goes before what was not. So too where nothing is served until labels prove a threshold:
    that is what labels come from.
    """
    threshold, origin = threshold_in_force(policy, state, load), state.normal.origin
    if not may_serve(policy):
        return Decision(Outcome.NOT_ALLOWED, None, None, load, "policy")
    if state.paused:
        return Decision(Outcome.PAUSED, None, threshold, load, origin)
    rated = [(*_rated(one, policy, threshold, load, now, client), one) for one in weighed]
    if not rated:
        return Decision(Outcome.NOTHING_NEAR, None, threshold, load, origin)
    outcome, ttl_left, best = max(rated, key=lambda each: _rank(each[0], each[2]))
    return Decision(outcome, best, threshold, load, origin, ttl_left)


def _rated(
    one: Weighed,
    policy: CategoryPolicy,
    threshold: float | None,
    load: float,
    now: float,
    client: ClientLimits,
) -> tuple[Outcome, float]:
    age = fresh_for(
        policy,
        load,
        created_at=one.created_at,
        expires_at=one.expires_at,
        now=now,
        max_age=client.max_age,
    )
    if one.candidate.similarity < client.min_similarity:
        return Outcome.NOTHING_NEAR, 0.0
    if not age.servable:
        return Outcome.STALE, 0.0
    if one.objection is not None:
        return Outcome.GUARDED, 0.0
    if one.score is None:
        return Outcome.UNVERIFIED, 0.0
    # A score that is not a number is no score.
    if threshold is None or not one.score >= threshold:
        return Outcome.BELOW, 0.0
    return Outcome.SERVED, age.ttl_left


_NEARNESS = (
    Outcome.NOTHING_NEAR,
    Outcome.STALE,
    Outcome.UNVERIFIED,
    Outcome.GUARDED,
    Outcome.BELOW,
    Outcome.SERVED,
)


def _rank(outcome: Outcome, one: Weighed) -> tuple[int, float, float]:
    score = one.score if one.score is not None and one.score == one.score else -1.0
    return _NEARNESS.index(outcome), score, one.candidate.similarity
