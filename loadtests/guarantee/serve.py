"""What the policies make of a stream: whom they serve, and what they learn from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from cachemw_policies import vcache
from cachemw_policies.category import DEFAULT, CategoryPolicy
from cachemw_policies.guarantee import Pool, known, state_of
from cachemw_policies.shadowing import ShadowSettings, shadow_probability
from cachemw_policies.thresholds import GuaranteeSettings
from numpy.typing import NDArray

from loadtests.guarantee.streams import Stream

#: Lookups after which the threshold is looked at again.
BLOCK = 100
#: It is not before there are so many new labels, as a share of all: that saves time.
_FRESH = 0.02
_TOKENS = 1e9  # the time of a stream is not known, so its bucket is never empty


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one stream.

    `right` of `served` were right, `possible` lookups had a right answer there; `checks` upstream
    calls were made to check; `first` lookups passed before the first hit, None if there was none.
    """

    lookups: int
    served: int
    right: int
    possible: int
    checks: int
    first: int | None
    drifts: int = 0

    @property
    def wrong_share(self) -> float:
        """The realised false-hit rate; 0 of nothing served."""
        return (self.served - self.right) / self.served if self.served else 0.0

    @property
    def found_share(self) -> float:
        """Of lookups with a right answer there, those that got it."""
        return self.right / self.possible if self.possible else 0.0


def fixed(stream: Stream, values: NDArray[np.float64], threshold: float) -> Run:
    """Serve whatever reaches a threshold; `values` of shape [lookups]."""
    return _run(stream, stream.near & (values >= threshold))


@dataclass(frozen=True, slots=True)
class Pooled:
    """The pooled guarantee, as the service would run it."""

    guarantee: GuaranteeSettings = field(default_factory=GuaranteeSettings)
    shadow: ShadowSettings = field(default_factory=ShadowSettings)

    def run(self, stream: Stream, policy: CategoryPolicy, rng: np.random.Generator) -> Run:
        """Serve a stream, learning from it block by block."""
        pool = Pool(self.guarantee)
        served = np.zeros(len(stream), dtype=np.bool_)
        checked = np.zeros(len(stream), dtype=np.bool_)
        coins = rng.random(len(stream))
        threshold, chance = self._looked(pool, policy)
        fresh = 0
        for start in range(0, len(stream), BLOCK):
            block = slice(start, start + BLOCK)
            near, scores = stream.near[block], stream.scores[block]
            hit = near & (scores >= threshold) if threshold is not None else np.zeros_like(near)
            check = hit & (coins[block] < chance)
            served[block], checked[block] = hit, check
            judged = check | (near & ~hit)
            weights = np.where(hit[judged], 1.0, chance)
            pool.extend(scores[judged], stream.heard[block][judged], weights)
            fresh += int(np.count_nonzero(judged))
            if fresh >= _FRESH * (1 + len(pool)):
                threshold, chance = self._looked(pool, policy)
                fresh = 0
        return _run(stream, served, checks=int(checked.sum()), drifts=pool.drifts)

    def _looked(self, pool: Pool, policy: CategoryPolicy) -> tuple[float | None, float]:
        threshold = state_of(pool, policy, self.guarantee).normal.threshold
        if threshold is None:
            return None, 1.0
        labels, errors = known(pool, threshold)
        return threshold, shadow_probability(
            labels, errors, policy.delta, self.shadow, tokens=_TOKENS
        )


def verified(stream: Stream, delta: float, rng: np.random.Generator) -> Run:
    """Serve as vCache does: each entry by itself, labels from what it explores."""
    served = np.zeros(len(stream), dtype=np.bool_)
    coins = rng.random(len(stream))
    near = np.flatnonzero(stream.near)
    by_entry = near[np.argsort(stream.entries[near], kind="stable")]
    ends = np.flatnonzero(np.diff(stream.entries[by_entry])) + 1
    for lookups in np.split(by_entry, ends):
        served[lookups] = _served_by_one(stream, lookups, coins[lookups], delta)
    return _run(stream, served)


def _served_by_one(
    stream: Stream, lookups: NDArray[np.intp], coins: NDArray[np.float64], delta: float
) -> NDArray[np.bool_]:
    """Return which lookups of one entry are served.

    Its curve is fitted again when its observations have grown by a tenth, which saves time.
    """
    scores, heard = stream.scores[lookups], stream.heard[lookups]
    served = np.zeros(len(lookups), dtype=np.bool_)
    seen: list[vcache.Observation] = []
    at = 0
    while at < len(lookups):
        curve = vcache.fitted(seen)
        asks = coins[at:] <= vcache.explored(curve, scores[at:], delta)
        wanted = max(1, vcache.MIN_OBSERVATIONS - len(seen), len(seen) // 10)
        until = at + int(np.searchsorted(np.cumsum(asks), wanted)) + 1
        asked = np.arange(at, min(until, len(lookups)))[asks[: until - at]]
        served[at:until] = ~asks[: until - at]
        seen += [vcache.Observation(float(scores[n]), bool(heard[n])) for n in asked]
        at = until
    return served


def policy_of(delta: float, threshold: float) -> CategoryPolicy:
    """Return a category with one error budget, whatever the load."""
    return CategoryPolicy(DEFAULT, threshold=threshold, delta=delta, delta_overload=delta)


def _run(stream: Stream, served: NDArray[np.bool_], checks: int = 0, drifts: int = 0) -> Run:
    hits = np.flatnonzero(served)
    return Run(
        lookups=len(stream),
        served=len(hits),
        right=int(np.count_nonzero(stream.same[hits])),
        possible=int(np.count_nonzero(stream.same)),
        checks=checks,
        first=int(hits[0]) if len(hits) else None,
        drifts=drifts,
    )
