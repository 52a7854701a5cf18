from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.threshold.quality import Quality, Share, lowest, quality

COSINES = np.array([0.99, 0.95, 0.90, 0.85, 0.80], dtype=np.float32)
SAME = np.array([True, True, False, True, False])


def _judged(threshold: float, wrong: int) -> Quality:
    return Quality(threshold, Share(0, 1), Share(0, 1), Share(wrong, 100))


def test_what_a_threshold_serves() -> None:
    judged = quality(COSINES, SAME, 0.90)
    assert judged == Quality(0.90, Share(2, 3), Share(1, 2), Share(1, 3))


def test_a_threshold_that_serves_nothing() -> None:
    judged = quality(COSINES, SAME, 1.0)
    assert judged.wrong == Share(0, 0)
    assert judged.wrong.interval == (0.0, 1.0)


def test_wilsons_interval() -> None:
    # As scipy.stats.binomtest(5, 100).proportion_ci(method="wilson") has it.
    low, high = Share(5, 100).interval
    assert low == pytest.approx(0.02154, abs=1e-4)
    assert high == pytest.approx(0.11175, abs=1e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share(counts: tuple[int, int]) -> None:
    share = Share(*counts)
    low, high = share.interval
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


def test_the_lowest_threshold_within_the_limit() -> None:
    judged = [_judged(0.90, 9), _judged(0.92, 4), _judged(0.94, 3)]
    best = lowest(judged, 0.05)
    assert best is not None
    assert best.threshold == 0.92


def test_luck_below_a_threshold_over_the_limit_does_not_count() -> None:
    judged = [_judged(0.90, 1), _judged(0.92, 9), _judged(0.94, 3)]
    best = lowest(judged, 0.05)
    assert best is not None
    assert best.threshold == 0.94


def test_no_threshold_may_be_within_the_limit() -> None:
    assert lowest([_judged(0.90, 9)], 0.05) is None
