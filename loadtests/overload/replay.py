"""One run: arrivals, the cache's own decisions, the upstream; the clock is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cachemw_policies.adaptation import AdaptationSettings, Level, adapted, pressure
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Candidate, CategoryState, Decision, Weighed, decide
from numpy.typing import NDArray

from loadtests.overload.scores import Scored
from loadtests.overload.traffic import NOTHING_NEAR, Arrival
from loadtests.overload.upstream import Capacity, Upstream

HIT_S = 0.02
"""What a lookup is taken to cost a caller, and so what a hit takes."""


@dataclass(frozen=True, slots=True)
class Cache:
    """How the cache decides. `adaptation` None: by the policy's normal values always."""

    policy: CategoryPolicy
    state: CategoryState
    adaptation: AdaptationSettings | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of all arrivals; arrays of shape [arrivals].

    `seconds` until the answer's end, not a number where the upstream turned the call away; `hit`,
    `wrong` and `stale` (past the normal TTL) are of served answers; `pressure` is what the upstream
    showed when the request came, and `level` what the cache made of it.
    """

    seconds: NDArray[np.float64]
    hit: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    stale: NDArray[np.bool_]
    pressure: NDArray[np.float64]
    level: NDArray[np.float64]

    @property
    def sent(self) -> NDArray[np.bool_]:
        """What went to the upstream, or would have."""
        return ~self.hit


def replay(arrivals: Sequence[Arrival], asked: Scored, cache: Cache, capacity: Capacity) -> Outcome:
    """Replay all arrivals; what is asked is numbered as in `asked`."""
    upstream, level = Upstream(capacity), Level()
    watched = cache.adaptation or AdaptationSettings()
    scores, same = asked.scores.tolist(), asked.same.tolist()
    rows = np.zeros((len(arrivals), 6))
    for row, one in zip(rows, arrivals, strict=True):
        figures = upstream.seen_until(one.at)
        if cache.adaptation is not None:
            level = adapted(level, figures, cache.adaptation, one.at)
        served = one.pair != NOTHING_NEAR and decided(one, scores[one.pair], cache, level).served
        if served:
            late = one.age_s > cache.policy.ttl
            taken: float | None = HIT_S
            row[1:4] = 1.0, not same[one.pair], late
        else:
            taken = upstream.call(one.at, one.prompt_tokens, one.answer_tokens)
        row[0] = np.nan if taken is None else taken
        row[4:] = pressure(figures, watched, one.at), level.value
    flags = rows[:, 1:4].astype(np.bool_)
    return Outcome(rows[:, 0], flags[:, 0], flags[:, 1], flags[:, 2], rows[:, 4], rows[:, 5])


def decided(one: Arrival, score: float, cache: Cache, level: Level) -> Decision:
    """Return the service's own decision on the one candidate there is."""
    created_at = one.at - one.age_s
    candidate = Weighed(
        Candidate(b"", 1.0), created_at, created_at + cache.policy.longest_ttl, score
    )
    return decide([candidate], cache.policy, cache.state, level.value, one.at)
