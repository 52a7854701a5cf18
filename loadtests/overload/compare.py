"""The same traffic under several ways to decide, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from cachemw_policies.adaptation import AdaptationSettings, Knee
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import CategoryState

from loadtests.overload.replay import Cache, Outcome, replay
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import Mix, Recorded, arrivals, window
from loadtests.overload.upstream import Capacity

LENGTH = 6000
OVERLOADED = 0.5
"""Pressure from which the upstream counts as overloaded, in the run without adaptation."""
FIXED = "fixed"
_NEVER = Knee(1e9, 2e9)


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. Shares of arrivals, but for `wrong`, a share of served answers; seconds.

    `overloaded`: arrivals that came while the upstream was overloaded without adaptation. `taken`
    off the upstream in comparison with that run, of what it was sent, and `taken_overloaded` of
    what it was sent while overloaded.
    """

    served: float
    wrong: float
    wrong_arrivals: float
    stale: float
    turned_away: float
    p50_s: float
    p99_s: float
    overloaded: float
    taken: float
    taken_overloaded: float


@dataclass(frozen=True, slots=True)
class Between:
    """A mean over seeds and its 95 % interval after Student; it says nothing of one run."""

    mean: float
    reach: float


@dataclass(frozen=True, slots=True)
class Question:
    """What to compare: traffic, thresholds, policy, upstream."""

    trace: Sequence[Recorded]
    asked: Scored
    policy: CategoryPolicy
    state: CategoryState
    capacity: Capacity


def ways(question: Question) -> dict[str, Cache]:
    """Return the ways to decide, by name; FIXED is what the others are compared with."""
    policy, state, known = question.policy, question.state, AdaptationSettings()
    threshold_only = replace(policy, ttl_overload=policy.ttl)
    told = replace(known, capacity=question.capacity.slots)
    deaf = replace(told, queueing=_NEVER)
    return {
        FIXED: Cache(policy, state, None),
        "threshold": Cache(threshold_only, state, known),
        "threshold, TTL": Cache(policy, state, known),
        "threshold, TTL, capacity told": Cache(policy, state, told),
        "threshold, TTL, capacity, no streams": Cache(policy, state, deaf),
    }


def runs(question: Question, load: float, mix: Mix, seed: int) -> dict[str, Figures]:
    """Replay one window of the trace in all ways, at `load` of what the upstream can do."""
    rng = np.random.default_rng(seed)
    recorded = window(question.trace, LENGTH, rng)
    capacity = question.capacity
    answer_s = np.mean([capacity.answer_s(r.prompt_tokens, r.answer_tokens) for r in recorded])
    gap_s = float(answer_s) / capacity.slots / load
    traffic = arrivals(recorded, gap_s, question.asked, mix, rng)
    outcomes = {
        name: replay(traffic, question.asked, cache, capacity)
        for name, cache in ways(question).items()
    }
    return {name: figures(one, outcomes[FIXED]) for name, one in outcomes.items()}


def figures(outcome: Outcome, fixed: Outcome) -> Figures:
    """Return what came of a run in comparison with the one without adaptation."""
    overloaded = fixed.pressure >= OVERLOADED
    answered = outcome.seconds[~np.isnan(outcome.seconds)]
    p50, p99 = np.percentile(answered, [50, 99])
    return Figures(
        served=float(outcome.hit.mean()),
        wrong=float(outcome.wrong.sum() / max(1, outcome.hit.sum())),
        wrong_arrivals=float(outcome.wrong.mean()),
        stale=float(outcome.stale.mean()),
        turned_away=float(np.isnan(outcome.seconds).mean()),
        p50_s=float(p50),
        p99_s=float(p99),
        overloaded=float(overloaded.mean()),
        taken=_taken(outcome, fixed, np.ones_like(overloaded)),
        taken_overloaded=_taken(outcome, fixed, overloaded),
    )


def _taken(
    outcome: Outcome, fixed: Outcome, among: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    before = np.count_nonzero(fixed.sent & among)
    return 1.0 - np.count_nonzero(outcome.sent & among) / before if before else math.nan


def over_seeds(found: Sequence[Figures]) -> dict[str, Between]:
    """Return every figure's mean and interval; seeds in which there was none are left out."""
    return {
        field.name: between([getattr(one, field.name) for one in found])
        for field in fields(Figures)
    }


def between(values: Sequence[float]) -> Between:
    """Return the mean with the 95 % interval of Student's t; no interval of a single value."""
    known = np.array([value for value in values if not math.isnan(value)])
    if len(known) < 2:
        return Between(float(known.mean()) if len(known) else math.nan, math.nan)
    reach = _t95(len(known) - 1) * known.std(ddof=1) / math.sqrt(len(known))
    return Between(float(known.mean()), float(reach))


def _t95(freedom: int) -> float:
    """Return Student's two-sided 95 % quantile (Cornish & Fisher; within 1 % from 4 on)."""
    z = 1.959964
    return float(
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
