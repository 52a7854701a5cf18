"""vCache's rule for one entry."""

from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.vcache import (
    ANCHORS,
    MIN_OBSERVATIONS,
    Observation,
    explore_probability,
    explored,
    fitted,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit, log_expit  # type: ignore[import-untyped]

OBSERVATIONS = st.lists(st.builds(Observation, st.floats(0, 1), st.booleans()), max_size=40)


def learnt(number: int, t: float = 0.8, steepness: float = 20.0) -> list[Observation]:
    """Return observations of a curve."""
    rng = np.random.default_rng(2)
    scores = rng.random(number)
    right = rng.random(number) < expit(steepness * (scores - t))
    return [Observation(float(s), bool(r)) for s, r in zip(scores, right, strict=True)]


def test_too_few_observations_are_always_explored() -> None:
    right = [Observation(0.99, right=True)] * (MIN_OBSERVATIONS - 1)
    assert fitted(right) is None
    assert explore_probability(right, 1.0, 0.05) == 1.0


def test_the_curve_of_many_observations_is_found() -> None:
    curve = fitted(learnt(4000))
    assert curve is not None
    assert curve.t == pytest.approx(0.8, abs=0.02)
    assert curve.steepness == pytest.approx(20.0, rel=0.15)


def test_the_fit_is_the_maximum_of_the_penalised_likelihood() -> None:
    seen = (*ANCHORS, *learnt(25))
    x, y = np.array([s for s, _ in seen]), np.array([r for _, r in seen], dtype=float)

    def loss(beta: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        z = beta[0] + beta[1] * x
        w = expit(z) * expit(-z)
        information = np.array([[w.sum(), w @ x], [w @ x, w @ (x * x)]])
        likelihood = (y * log_expit(z) + (1 - y) * log_expit(-z)).sum()
        return -float(likelihood + 0.5 * np.log(np.linalg.det(information)))

    best = minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    curve = fitted(learnt(25))
    assert curve is not None
    assert curve.steepness == pytest.approx(best.x[1], rel=1e-3)
    assert curve.t == pytest.approx(-best.x[0] / best.x[1], rel=1e-3)


def test_the_variance_shrinks_with_observations() -> None:
    few, many = fitted(learnt(20)), fitted(learnt(2000))
    assert few is not None
    assert many is not None
    assert many.variance < few.variance / 10


def test_observations_that_do_not_overlap_have_a_finite_curve() -> None:
    curve = fitted([Observation(0.1 * n, n > 6) for n in range(1, 10)])
    assert curve is not None
    assert 0.6 < curve.t < 0.7
    assert curve.steepness < 1000


def test_scores_that_say_nothing_are_explored() -> None:
    seen = [Observation(0.9, right=False)] * 10 + [Observation(0.1, right=True)] * 10
    assert explore_probability(seen, 0.9, 0.05) == 1.0


def test_sure_hits_are_served_and_doubtful_ones_explored() -> None:
    curve = fitted(learnt(2000))
    assert float(explored(curve, 1.0, 0.1)) == 0.0
    assert float(explored(curve, 0.5, 0.1)) > 0.85


def test_all_scores_at_once_are_as_one_by_one() -> None:
    curve = fitted(learnt(50))
    scores = np.array([0.2, 0.8, 0.99])
    assert explored(curve, scores, 0.05).tolist() == [
        float(explored(curve, s, 0.05)) for s in scores
    ]
    assert explored(None, scores, 0.05).tolist() == [1.0, 1.0, 1.0]


def test_the_promise_is_kept_where_the_curve_is_known() -> None:
    """Wrong of all lookups: what is served times the chance that it is wrong, within delta."""
    curve = fitted(learnt(5000))
    assert curve is not None
    scores = np.linspace(0, 1, 200)
    wrong = 1 - expit(curve.steepness * (scores - curve.t))
    assert ((1 - explored(curve, scores, 0.03)) * wrong <= 0.03 + 1e-9).all()


@given(OBSERVATIONS, st.floats(0, 1), st.floats(0, 0.3))
def test_it_is_a_probability_and_falls_with_delta(
    seen: list[Observation], score: float, delta: float
) -> None:
    strict, loose = explore_probability(seen, score, delta), explore_probability(seen, score, 0.4)
    assert 0.0 <= loose <= strict <= 1.0


@given(OBSERVATIONS, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_is_explored_no_more(seen: list[Observation], a: float, b: float) -> None:
    low, high = explored(fitted(seen), np.array(sorted((a, b))), 0.05).tolist()
    assert high <= low + 1e-12
