"""vCache's decision: a threshold for each cached entry, learnt from that entry's own lookups.

After *vCache: Verified Semantic Prompt Caching* (arXiv 2502.03771). An entry's answer is right for
a lookup of score s with probability L(s; t, g) = 1 / (1 + exp(-g (s - t))). t and g are fitted to
the entry's observations. With t' the upper end of a one-sided confidence interval of t at level
1 - eps, the answer is right with probability at least alpha = (1 - eps) L(s; t', g), and whoever
asks the upstream with probability

    tau = min over eps of 1 - delta / (1 - alpha)

and serves otherwise is wrong in at most a share delta *of all lookups*. That is not the share of
what is served: where most lookups are misses, much more of the hits may be wrong.

Approximated, here as in the authors' code: g is taken for known, t for normal, with the variance of
the delta method; eps is a grid; an entry begins with the observations (0, wrong) and (1, right),
which count among the six it needs. Different from it: where right and wrong observations do not
overlap, the likelihood has no maximum. They put in a variance from a table; we fit with Jeffreys'
prior (Firth 1993), whose maximum exists and whose information matrix gives the variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri  # type: ignore[import-untyped]

_EPSILON = np.linspace(1e-6, 1 - 1e-6, 50)
_QUANTILES = ndtri(1 - _EPSILON)
_STEPS = 50
_LARGEST_STEP = 5.0


class Observation(NamedTuple):
    """A lookup that found the entry: its score in [0, 1], and whether the answer was right."""

    score: float
    right: bool


ANCHORS = (Observation(0.0, right=False), Observation(1.0, right=True))
MIN_OBSERVATIONS = 6 - len(ANCHORS)


class Curve(NamedTuple):
    """The logistic curve of an entry: where it crosses one half, how steep, and Var(t)."""

    t: float
    steepness: float
    variance: float


def fitted(observations: Sequence[Observation]) -> Curve | None:
    """Fit an entry's curve; None where there are too few observations or the score says nothing."""
    if len(observations) < MIN_OBSERVATIONS:
        return None
    seen = (*ANCHORS, *observations)
    scores = np.array([each.score for each in seen])
    right = np.array([each.right for each in seen], dtype=np.float64)
    centre = float(scores.mean())
    spread = float(scores.std())
    found = _maximum((scores - centre) / spread, right)
    if found is None:
        return None
    a, b, covariance = found
    if b <= 1e-3:
        return None
    # t = -a/b in standard units, by the delta method.
    gradient = np.array([-1.0 / b, a / b**2])
    variance = float(gradient @ covariance @ gradient)
    return Curve(centre - spread * a / b, b / spread, variance * spread**2)


def _maximum(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.float64]] | None:
    """Return intercept, slope and covariance where the penalised likelihood is greatest."""
    a, b = 0.0, 0.0
    for _ in range(_STEPS):
        p = expit(a + b * x)
        w = np.maximum(p * (1 - p), 1e-9)
        saa, sab, sbb = float(w.sum()), float(w @ x), float(w @ (x * x))
        determinant = saa * sbb - sab * sab
        if determinant <= 1e-12:
            return None
        # Diagonal of the weighted hat matrix: what Jeffreys' prior adds to the score.
        leverage = w * (sbb - 2 * sab * x + saa * x * x) / determinant
        rest = y - p + leverage * (0.5 - p)
        ga, gb = float(rest.sum()), float(rest @ x)
        da, db = (sbb * ga - sab * gb) / determinant, (saa * gb - sab * ga) / determinant
        cut = min(1.0, _LARGEST_STEP / max(abs(da), abs(db), 1e-12))
        a, b = a + cut * da, b + cut * db
        if max(abs(da), abs(db)) < 1e-4:
            break
    return a, b, np.array([[sbb, -sab], [-sab, saa]]) / determinant


def explored(
    curve: Curve | None, scores: NDArray[np.float64] | float, delta: float
) -> NDArray[np.float64]:
    """Return the probabilities with which lookups ask the upstream; all 1 without a curve.

    `scores` and what is returned have one shape. `delta`: the share of all lookups that may be
    answered wrongly.
    """
    asked = np.asarray(scores, dtype=np.float64)
    if curve is None:
        return np.ones_like(asked)
    highest = np.clip(curve.t + _QUANTILES * math.sqrt(curve.variance), 0.0, 1.0)
    right = (1 - _EPSILON) * expit(curve.steepness * (asked[..., None] - highest))
    alpha = np.max(right, axis=-1)
    return np.asarray(np.clip(1 - delta / np.maximum(1 - alpha, 1e-12), 0.0, 1.0))


def explore_probability(observations: Sequence[Observation], score: float, delta: float) -> float:
    """Fit the entry's curve and return the probability of asking the upstream at `score`."""
    return float(explored(fitted(observations), score, delta))
