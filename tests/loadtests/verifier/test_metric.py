"""Shares served within a limit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.calibrate.curve import served_at
from loadtests.verifier.metric import (
    LIMITS,
    drawn,
    drawn_wrong,
    interval,
    served,
    weight_of_others,
    wrong_share,
)

PAIRS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=60).filter(
    lambda pairs: any(same for _, same in pairs)
)


@given(PAIRS, st.sampled_from([0.0, 0.05, 0.2, 0.5]))
def test_unweighed_it_says_what_the_calibration_says(
    pairs: list[tuple[int, bool]], limit: float
) -> None:
    scores = np.array([score / 8 for score, _ in pairs])
    same = np.array([same for _, same in pairs])
    (mine,), (theirs,) = served(scores, same, limits=(limit,)), served_at(scores, same, (limit,))
    assert (mine.threshold, mine.share) == (theirs.threshold, theirs.duplicates_served)


@given(PAIRS, st.integers(1, 4))
def test_a_pair_that_counts_so_often_is_one_that_is_there_so_often(
    pairs: list[tuple[int, bool]], other: int
) -> None:
    repeated = [pair for pair in pairs for _ in range(1 if pair[1] else other)]
    expected = served(*_arrays(repeated), limits=(0.3,))
    assert served(*_arrays(pairs), other, limits=(0.3,)) == expected


@given(PAIRS)
def test_copies_are_pairs_that_are_there_several_times(pairs: list[tuple[int, bool]]) -> None:
    copies = np.arange(len(pairs)) % 3
    same = np.array([same for _, same in pairs])
    if not copies[same].sum():
        return
    repeated = [pair for pair, count in zip(pairs, copies, strict=True) for _ in range(count)]
    (mine,) = served(*_arrays(pairs), limits=(0.3,), copies=copies)
    (theirs,) = served(*_arrays(repeated), limits=(0.3,))
    assert mine.share == pytest.approx(theirs.share)


def _arrays(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(score) for score, _ in pairs]), np.array([same for _, same in pairs])


def test_nothing_is_served_where_the_highest_is_wrong() -> None:
    points = served(np.array([0.9, 0.8]), np.array([False, True]))
    assert [(point.threshold, point.share) for point in points] == [(None, 0.0)] * len(LIMITS)


@pytest.mark.parametrize(
    ("base", "expected"), [(None, 1), (0.5, 3), (0.75, 1), (0.9, Fraction(1, 3))]
)
def test_others_are_weighed_to_the_base_rate(base: float | None, expected: float) -> None:
    same = np.array([True, True, True, False])
    assert weight_of_others(same, base) == pytest.approx(float(expected))


def test_the_share_of_wrong_ones_is_weighed() -> None:
    scores, same = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False])
    assert wrong_share(scores, same, 0.8) == pytest.approx(1 / 3)
    assert wrong_share(scores, same, 0.8, 0.5) == pytest.approx(0.2)
    assert wrong_share(scores, same, 0.95) == 0.0


def noisy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    same = rng.random(600) < 0.5
    return same * 0.7 + rng.normal(size=600), same


def test_intervals_hold_the_estimate_and_are_wider_by_clusters() -> None:
    scores, same = noisy()
    alone = drawn(scores, same, np.arange(600), np.random.default_rng(2))
    for place, point in enumerate(served(scores, same)):
        low, high = interval(alone[:, place])
        assert 0 <= low <= point.share <= high <= 1
    # Every pair ten times, once as clusters and once as if they were independent.
    scores, same = np.repeat(scores, 10), np.repeat(same, 10)
    clustered = drawn(scores, same, np.repeat(np.arange(600), 10), np.random.default_rng(2))
    naive = drawn(scores, same, np.arange(6000), np.random.default_rng(2))
    assert clustered[:, 0].std() > 1.5 * naive[:, 0].std()


def test_the_same_generator_draws_the_same_clusters() -> None:
    scores, same = noisy()
    one, other = (drawn(scores, same, np.arange(600), np.random.default_rng(2)) for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize("base", [None, 0.8])
def test_the_wrong_share_of_a_threshold_has_draws_around_it(base: float | None) -> None:
    scores, same = noisy()
    caught = scores >= 0.5
    draws = drawn_wrong(caught, same, np.arange(600), np.random.default_rng(2), base)
    low, high = interval(draws)
    assert low < wrong_share(scores, same, 0.5, weight_of_others(same, base)) < high
    nothing = np.zeros_like(caught)
    assert not drawn_wrong(nothing, same, np.arange(600), np.random.default_rng(2), base).any()
