"""A category's labels and what they come to: thresholds, drift, estimates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.guarantee import Pool, false_hit_estimate, known, state_of
from cachemw_policies.labels import Label, Source
from cachemw_policies.thresholds import (
    CALIBRATED,
    COLD_START,
    PROBATION,
    WITHHELD,
    GuaranteeSettings,
)
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = GuaranteeSettings()
AT_ONCE = GuaranteeSettings(cold_start="threshold")
POLICY = CategoryPolicy("code", threshold=0.97, delta=0.03, delta_overload=0.10)


def label(score: float, right: bool = True, source: Source = Source.SHADOW) -> Label:
    return Label("code", score, right, source, "model", 0.0)


def fill(pool: Pool, number: int, odds: float = 1.0, weight: float = 1.0, seed: int = 1) -> None:
    """Add labels with even scores in [0.5, 1] that err with odds of `odds` x (1 - s) / 8s."""
    rng = np.random.default_rng(seed)
    scores = 0.5 + rng.random(number) / 2
    ratio = odds * (1 - scores) / scores / 8
    right = rng.random(number) >= ratio / (1 + ratio)
    pool.extend(scores, right, np.full(number, weight))


def test_an_empty_pool_serves_nothing_on_probation_and_all_above_the_threshold_else() -> None:
    probation = state_of(Pool(SETTINGS), POLICY, SETTINGS)
    assert (probation.normal.threshold, probation.normal.origin) == (None, PROBATION)
    at_once = state_of(Pool(AT_ONCE), POLICY, AT_ONCE)
    assert (at_once.normal.threshold, at_once.normal.origin) == (0.97, COLD_START)


def test_labels_bring_thresholds_and_the_one_for_overload_is_no_higher() -> None:
    pool = Pool(SETTINGS)
    fill(pool, 3000)
    state = state_of(pool, POLICY, SETTINGS)
    assert (state.normal.origin, state.overload.origin) == (CALIBRATED, CALIBRATED)
    assert state.normal.threshold is not None
    assert state.overload.threshold is not None
    assert state.overload.threshold < state.normal.threshold


@given(st.integers(0, 40), st.integers(0, 2000), st.floats(0.1, 3.0))
def test_the_threshold_for_overload_is_never_above_the_normal_one(
    seed: int, number: int, odds: float
) -> None:
    pool = Pool(AT_ONCE)
    fill(pool, number, odds, seed=seed)
    state = state_of(pool, POLICY, AT_ONCE)
    if state.normal.threshold is not None:
        assert state.overload.threshold is not None
        assert state.overload.threshold <= state.normal.threshold


def test_a_safety_critical_category_has_one_threshold() -> None:
    pool = Pool(SETTINGS)
    fill(pool, 3000)
    state = state_of(pool, replace(POLICY, safety_critical=True), SETTINGS)
    assert state.overload == state.normal


def test_praise_is_not_counted_and_complaints_are() -> None:
    praise, complaint = (label(0.9, right, Source.FEEDBACK) for right in (True, False))
    pool = Pool(SETTINGS)
    pool.add([praise, complaint, label(0.9)])
    assert known(pool, 0.8) == (2.0, 1.0)
    trusting = Pool(replace(SETTINGS, positive_feedback=True))
    trusting.add([praise, complaint, label(0.9)])
    assert known(trusting, 0.8) == (3.0, 1.0)


def test_labels_count_by_their_weight() -> None:
    pool = Pool(SETTINGS)
    pool.add([replace(label(0.9), weight=0.25), replace(label(0.9, right=False), weight=0.5)])
    assert known(pool, 0.8) == (0.75, 0.5)


def test_the_pool_is_bounded_and_keeps_the_latest() -> None:
    pool = Pool(replace(SETTINGS, window=50))
    pool.add([label(0.6)] * 40)
    pool.add([label(0.9)] * 30)
    assert len(pool) == 50
    assert known(pool, 0.8) == (30.0, 0.0)


def test_labels_below_the_grid_are_not_kept() -> None:
    pool = Pool(SETTINGS)
    pool.add([label(0.49), label(0.5)])
    assert len(pool) == 1


def test_judged_misses_of_little_weight_do_not_raise_the_threshold() -> None:
    """Above 0.8 one in ten is checked, below all are judged: the average is what counts."""
    rng = np.random.default_rng(4)
    scores = 0.5 + rng.random(40_000) / 2
    right = rng.random(40_000) >= np.where(scores < 0.8, 0.06, 0.004)
    kept = (scores < 0.8) | (rng.random(40_000) < 0.1)
    settings = replace(SETTINGS, window=40_000)

    def lowest(weight: float) -> float:
        pool = Pool(settings)
        weights = np.where(scores < 0.8, weight, 1.0)
        pool.extend(scores[kept], right[kept], weights[kept])
        return state_of(pool, POLICY, settings).normal.threshold or 1.0

    # Errors of what scores t or more, with t below 0.8: within 2.7 % from 0.65 on.
    assert 0.65 < lowest(0.1) < 0.775
    assert lowest(1.0) > 0.785


def test_a_drift_is_noticed_and_what_was_before_forgotten() -> None:
    pool = Pool(SETTINGS)
    fill(pool, 2000)
    before = state_of(pool, POLICY, SETTINGS).normal.threshold
    assert before is not None
    for seed in range(10):
        fill(pool, 50, odds=5.0, seed=seed)
    assert pool.drifts >= 1
    assert len(pool) < 1000
    after = state_of(pool, POLICY, SETTINGS).normal.threshold
    assert after is None or after > before


def test_judged_misses_alone_tell_of_a_drift() -> None:
    pool = Pool(SETTINGS)
    fill(pool, 2000, weight=0.02)
    for seed in range(10):
        fill(pool, 50, odds=5.0, weight=0.02, seed=seed)
    assert pool.drifts >= 1


def test_lower_scores_alone_are_no_drift() -> None:
    """More errors, because more scores are low: each score errs as it did."""
    pool = Pool(SETTINGS)
    rng = np.random.default_rng(9)
    for share in (0.2, 0.9):
        low = rng.random(1500) < share
        right = rng.random(1500) >= np.where(low, 0.3, 0.01)
        pool.extend(np.where(low, 0.6, 0.95), right, np.ones(1500))
    assert pool.drifts == 0


def test_a_stationary_stream_is_rarely_taken_for_a_drift() -> None:
    drifts = 0
    for seed in range(5):
        pool = Pool(SETTINGS)
        for block in range(60):
            fill(pool, 50, seed=1000 * seed + block)
        drifts += pool.drifts
    assert drifts <= 2


def test_after_a_drift_the_cold_start_does_not_return() -> None:
    pool = Pool(AT_ONCE)
    pool.forget()
    assert state_of(pool, POLICY, AT_ONCE).normal.threshold is None


def test_errors_that_come_fast_withhold_until_right_ones_make_up_for_them() -> None:
    pool = Pool(SETTINGS)
    pool.add([label(0.95)] * 600)
    assert state_of(pool, POLICY, SETTINGS).normal.origin == CALIBRATED
    pool.add([label(0.95, right=False)] * 3)
    assert state_of(pool, POLICY, SETTINGS).normal.origin == WITHHELD
    pool.add([label(0.95, source=Source.MISS)] * 100)
    assert state_of(pool, POLICY, SETTINGS).normal.origin == CALIBRATED


def test_what_was_proven_is_held() -> None:
    pool = Pool(SETTINGS)
    pool.add([label(0.95)] * 170)
    proven = state_of(pool, POLICY, SETTINGS).normal
    pool.add([label(0.95, right=False), *[label(0.95)] * 9])
    assert state_of(pool, POLICY, SETTINGS).normal.threshold == proven.threshold
    # A pool that has not proven it before would not now.
    fresh = Pool(SETTINGS)
    fresh.extend(pool.scores, pool.right, pool.weights)
    assert state_of(fresh, POLICY, SETTINGS).normal.threshold is None


def test_the_estimate_is_the_weighted_share_with_its_interval() -> None:
    pool = Pool(SETTINGS)
    pool.extend(
        np.array([0.9, 0.9, 0.9, 0.6]),
        np.array([True, True, False, False]),
        np.array([1.0, 1.0, 0.5, 1.0]),
    )
    rate, low, high = false_hit_estimate(pool, 0.8)
    assert rate == pytest.approx(0.2)
    assert low < rate < high
    assert false_hit_estimate(pool, 0.95) == (0.0, 0.0, 1.0)
