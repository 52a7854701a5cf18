"""Bounds on shares, against scipy's binomial distribution and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies import bounds
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest  # type: ignore[import-untyped]


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_that_of_clopper_and_pearson(counts: tuple[int, int]) -> None:
    k, n = counts
    expected = binomtest(k, n).proportion_ci(0.95, "exact")
    assert bounds.interval(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_is_known_of_no_labels() -> None:
    assert bounds.interval(0, 0) == (0.0, 1.0)
    assert float(bounds.upper(0.0, 0.0, 0.05)) == 1.0
    assert float(bounds.lower(0.0, 0.0, 0.05)) == 0.0


def test_bounds_take_arrays() -> None:
    errors, labels = np.array([0.0, 3.0, 5.0]), np.array([10.0, 10.0, 5.0])
    high, low = bounds.upper(errors, labels, 0.05), bounds.lower(errors, labels, 0.05)
    assert high.tolist() == [float(bounds.upper(k, n, 0.05)) for k, n in ((0, 10), (3, 10), (5, 5))]
    assert (low[0], high[2]) == (0.0, 1.0)
    assert (low < high).all()


def test_at_the_upper_bound_so_few_errors_have_probability_alpha() -> None:
    high = float(bounds.upper(4.0, 300.0, 0.05))
    assert binom.cdf(4, 300, high) == pytest.approx(0.05)


@given(st.floats(0, 200), st.floats(0, 50), st.floats(0.1, 20))
def test_an_error_more_raises_the_upper_bound(right: float, wrong: float, more: float) -> None:
    before = float(bounds.upper(wrong, right + wrong + 1, 0.05))
    assert float(bounds.upper(wrong + more, right + wrong + more + 1, 0.05)) >= before - 1e-9


def test_evidence_of_nothing_is_nothing() -> None:
    assert float(bounds.against(0.0, 0.0, 0.03)) == pytest.approx(0.0, abs=1e-9)


def test_evidence_is_the_ratio_averaged_over_lower_rates() -> None:
    k, n, delta = 3, 400, 0.03
    # In terms of sqrt(q) the density is even.
    q = np.linspace(0, delta**0.5, 200_001)[1:] ** 2
    ratio = (q / delta) ** k * ((1 - q) / (1 - delta)) ** (n - k)
    assert float(bounds.against(k, n, delta)) == pytest.approx(np.log(ratio.mean()), abs=1e-3)


def test_evidence_needs_more_labels_than_one_look() -> None:
    labels = np.arange(1.0, 400.0)
    first = labels[np.argmax(bounds.against(np.zeros_like(labels), labels, 0.03) >= np.log(20))]
    assert first == 125
    assert labels[np.argmax(bounds.upper(np.zeros_like(labels), labels, 0.05) <= 0.03)] == 99


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_looking_always_at_a_rate_of_delta_is_rarely_fooled(weight: float) -> None:
    rng = np.random.default_rng(5)
    labels, runs = 1500, 400
    wrong = rng.random((runs, labels)) < 0.05
    n = np.arange(1.0, labels + 1) * weight + np.zeros(wrong.shape)
    k = np.cumsum(wrong, axis=1).astype(np.float64)
    evidence = bounds.against(weight * k, n, 0.05)
    fooled = np.mean(evidence.max(axis=1) >= np.log(20))
    assert fooled <= 0.05 + 2.6 * (0.05 * 0.95 / runs) ** 0.5
    if weight == 1.0:
        # The bound of one look, looked at again and again, is fooled far more often.
        tested = bounds.upper(k, n, 0.05) <= 0.05
        assert tested.any(axis=1).mean() > 0.15


def test_more_errors_at_like_scores_are_an_excess() -> None:
    errors = (np.array([5.0, 50.0]), np.array([15.0, 70.0]))
    labels = (np.array([100.0, 100.0]), np.array([100.0, 100.0]))
    assert bounds.excess(errors, labels) > 3
    assert bounds.excess(errors[::-1], labels[::-1]) < -3


def test_more_labels_of_low_scores_are_none() -> None:
    # The second group errs more overall, but only because more of it scores low.
    errors = (np.array([10.0, 100.0]), np.array([1.0, 500.0]))
    labels = (np.array([1000.0, 200.0]), np.array([100.0, 1000.0]))
    assert abs(bounds.excess(errors, labels)) < 1e-9


def test_what_cannot_be_compared_is_no_excess() -> None:
    nothing = np.zeros(2)
    assert bounds.excess((nothing, nothing), (nothing, nothing)) == 0.0
    some = np.array([10.0, 0.0])
    assert bounds.excess((some, nothing), (some, some[::-1])) == 0.0
