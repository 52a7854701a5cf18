from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.calibrate.curve import Point, served_at

# Few values, so that there are ties, and None for what is never served.
ROWS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 1.0, None]), st.booleans()), max_size=40
)
LIMITS = (0.0, 0.05, 0.2, 0.29, 0.5, 1.0)


def _arrays(rows: list[tuple[float | None, bool]]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([np.nan if score is None else score for score, _ in rows], dtype=np.float64)
    return scores, np.array([same for _, same in rows], dtype=np.bool_)


def _by_hand(rows: list[tuple[float | None, bool]], limit: float) -> tuple[float | None, int, int]:
    """Try every threshold there can be, from the highest down."""
    best: tuple[float | None, int, int] = (None, 0, 0)
    for threshold in sorted({score for score, _ in rows if score is not None}, reverse=True):
        served = [same for score, same in rows if score is not None and score >= threshold]
        right, wrong = served.count(True), served.count(False)
        if wrong / len(served) <= limit and right > best[1]:
            best = (threshold, right, wrong)
    return best


@given(ROWS, st.sampled_from(LIMITS))
def test_it_is_the_best_of_all_thresholds(
    rows: list[tuple[float | None, bool]], limit: float
) -> None:
    (point,) = served_at(*_arrays(rows), [limit])
    assert (point.threshold, point.right, point.wrong) == _by_hand(rows, limit)
    assert point.duplicates == sum(same for _, same in rows)


@given(ROWS)
def test_more_errors_allowed_never_serve_less(rows: list[tuple[float | None, bool]]) -> None:
    points = served_at(*_arrays(rows), LIMITS)
    assert [p.right for p in points] == sorted(p.right for p in points)
    assert [p.limit for p in points] == list(LIMITS)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(rows, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert served_at(*_arrays(rows), LIMITS) == served_at(*_arrays(shuffled), LIMITS)


def test_luck_below_a_bad_stretch_counts() -> None:
    # 0.9 serves 1 right, 0.8 is half wrong, 0.7 is one in four wrong: the lowest within 30 %.
    rows: list[tuple[float | None, bool]] = [(0.9, True), (0.8, False), (0.7, True), (0.7, True)]
    (point,) = served_at(*_arrays(rows), [0.3])
    assert (point.threshold, point.right, point.wrong) == (0.7, 3, 1)


def test_errors_without_a_duplicate_are_not_worth_a_lower_threshold() -> None:
    rows: list[tuple[float | None, bool]] = [*[(0.9, True)] * 99, (0.8, False)]
    (point,) = served_at(*_arrays(rows), [0.05])
    assert (point.threshold, point.wrong) == (0.9, 0)


def test_what_has_no_score_is_served_at_no_threshold_and_counts_as_a_duplicate() -> None:
    (point,) = served_at(*_arrays([(None, True), (0.0, True)]), [1.0])
    assert point == Point(1.0, 0.0, 1, 0, 2)
    assert point.duplicates_served == 0.5


def test_shares_and_intervals() -> None:
    point = Point(0.05, 0.5, right=95, wrong=5, duplicates=190)
    assert (point.served, point.duplicates_served, point.wrong_share) == (100, 0.5, 0.05)
    # As scipy.stats.binomtest(5, 100).proportion_ci() has it.
    assert point.wrong_interval == pytest.approx((0.01643, 0.11283), abs=1e-5)
    low, high = point.duplicates_interval
    assert low < 0.5 < high


def test_shares_of_nothing() -> None:
    (point,) = served_at(*_arrays([]), [0.05])
    assert (point.threshold, point.duplicates_served, point.wrong_share) == (None, 0.0, 0.0)
    assert point.wrong_interval == (0.0, 1.0)
