from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.recompute.selectors.query_carried import QueryCarried, smoothed

from tests.support.selecting import depths_of


def _depths(quota: list[int]) -> list[int]:
    return depths_of(
        QueryCarried(), quota, carried=[0, 0.5, 0.9, 0.9, 0.9], question=[0.9, 0.3, 0, 0.01, 0.01]
    )


def test_what_is_not_stale_or_not_asked_for_can_wait() -> None:
    # Token 0 is asked for and not stale, token 1 beside it is both, 3 and 4 are only stale.
    assert _depths([1, 0]) == [0, 3, 0, 0, 0]


def test_of_equally_attended_the_one_among_attended_goes_first() -> None:
    # Token 3 stands beside 2, which the question does not read; token 4 only beside 3.
    assert _depths([2, 0]) == [0, 3, 0, 0, 3]


def test_smoothing_reaches_two_tokens_and_stays_in_the_chunk() -> None:
    scores = np.array([0, 0, 0, 1, 0, 0, 0], dtype=np.float32)
    assert smoothed(scores, np.zeros(7, dtype=np.int64)).tolist() == pytest.approx(
        [0, 1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16, 0]
    )
    assert smoothed(scores, np.array([0, 0, 0, 1, 1, 1, 1])).tolist()[:3] == [0, 0, 0]


def test_smoothing_leaves_equal_scores_and_its_input_as_they_are() -> None:
    scores = np.ones(5, dtype=np.float32)
    assert smoothed(scores, np.array([0, 1, 1, 2, 2])).tolist() == [1] * 5
    one = np.array([1, 0], dtype=np.float32)
    smoothed(one, np.array([0, 0]))
    assert one.tolist() == [1, 0]
