"""Which threshold labels prove."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cachemw_policies.thresholds import (
    CALIBRATED,
    COLD_START,
    PROBATION,
    WITHHELD,
    Flags,
    Floats,
    GuaranteeSettings,
    calibrated,
    proven,
    tally,
)
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = GuaranteeSettings(alpha=0.05, margin=1.0)
GRID = SETTINGS.grid


def labels(number: int, slope: float = 1.0, seed: int = 3) -> tuple[Floats, Flags]:
    """Return labels with scores over all of [0, 1] that err the more the lower they score."""
    rng = np.random.default_rng(seed)
    scores = rng.random(number)
    return scores, rng.random(number) >= slope * (1 - scores) ** 2


def test_the_grid_falls_from_near_one_to_one_half() -> None:
    assert tuple(sorted(set(GRID), reverse=True)) == GRID
    assert (GRID[0], GRID[-1]) == (0.999, 0.5)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0, 1)), max_size=60),
)
def test_the_tally_counts_what_reaches_each_threshold(
    some: list[tuple[float, bool, float]],
) -> None:
    scores = np.array([one[0] for one in some])
    right = np.array([one[1] for one in some], dtype=np.bool_)
    weights = np.array([one[2] for one in some])
    counts = tally(scores, right, weights, GRID)
    for at, threshold in enumerate(GRID):
        above = scores >= threshold
        assert counts.labels[at] == pytest.approx(weights[above].sum())
        assert counts.errors[at] == pytest.approx(weights[above & ~right].sum())
        assert counts.counted[at] == np.count_nonzero(above)
        assert counts.wrong[at] == np.count_nonzero(above & ~right)


def test_enough_right_labels_prove_the_lowest_threshold() -> None:
    scores = np.linspace(0.5, 1.0, 2000)
    bar = calibrated(scores, np.ones(2000, dtype=np.bool_), 0.03, SETTINGS, None)
    assert (bar.threshold, bar.origin, bar.labels, bar.errors) == (0.5, CALIBRATED, 2000, 0)


def test_the_threshold_keeps_the_error_rate_above_it_within_delta() -> None:
    scores, right = labels(6000)
    bar = calibrated(scores, right, 0.03, SETTINGS, None)
    assert bar.threshold is not None
    # (1 - s)^2, averaged over [t, 1], is (1 - t)^2 / 3: within 3 % from 0.7 on.
    assert 0.7 < bar.threshold < 0.85


def test_a_larger_delta_never_raises_the_threshold() -> None:
    scores, right = labels(4000)
    found = [calibrated(scores, right, d, SETTINGS, None).threshold for d in (0.02, 0.05, 0.1, 0.2)]
    assert None not in found
    assert found == sorted(found, key=lambda each: -(each or 0))


def test_the_sequence_does_not_jump_a_gap() -> None:
    # Wrong between 0.8 and 0.85, and right below: what lies below is not reached from above.
    scores = np.concatenate([np.linspace(0.9, 1, 400), np.full(80, 0.82), np.full(4000, 0.6)])
    right = np.concatenate([np.ones(400), np.zeros(80), np.ones(4000)]).astype(np.bool_)
    settings = replace(SETTINGS, starts=(0.03,))
    bar = calibrated(scores, right, 0.03, settings, None)
    assert bar.threshold is not None
    assert bar.threshold > 0.82
    # A sequence that begins below the gap may pass: all of it counts there.
    assert proven(tally(scores, right, np.ones(len(scores)), GRID), 0.05, SETTINGS) == len(GRID) - 1


def test_one_error_at_the_top_does_not_end_the_sequence() -> None:
    scores = np.concatenate([[0.9999], np.linspace(0.6, 0.99, 3000)])
    right = np.concatenate([[False], np.ones(3000)]).astype(np.bool_)
    assert calibrated(scores, right, 0.03, SETTINGS, None).origin == CALIBRATED


def test_one_look_needs_fewer_labels() -> None:
    scores, right = np.full(130, 0.95), np.ones(130, dtype=np.bool_)
    assert calibrated(scores, right, 0.03, SETTINGS, None).origin == PROBATION
    once = replace(SETTINGS, anytime=False)
    assert calibrated(scores, right, 0.03, once, None).origin == CALIBRATED


def test_without_labels_the_cold_start_serves_or_nothing_does() -> None:
    none, nothing = np.empty(0), np.empty(0, dtype=np.bool_)
    assert calibrated(none, nothing, 0.03, SETTINGS, 0.97).threshold == 0.97
    assert calibrated(none, nothing, 0.03, SETTINGS, 0.97).origin == COLD_START
    probation = calibrated(none, nothing, 0.03, SETTINGS, None)
    assert (probation.threshold, probation.origin) == (None, PROBATION)


def test_a_cold_start_that_labels_refute_is_withheld() -> None:
    scores, right = np.full(20, 0.98), np.arange(20) >= 4
    bar = calibrated(scores, right, 0.03, SETTINGS, 0.97)
    assert (bar.threshold, bar.origin, bar.labels, bar.errors) == (None, WITHHELD, 20, 4)


def test_a_cold_start_that_is_never_proven_ends() -> None:
    # At delta exactly: neither refuted nor proven.
    def bar(number: int) -> str:
        right = np.arange(number) % 33 != 0
        return calibrated(np.full(number, 0.98), right, 0.03, SETTINGS, 0.97).origin

    assert bar(200) == COLD_START
    assert bar(500) == WITHHELD


def test_no_error_budget_serves_nothing() -> None:
    scores, right = np.full(5000, 0.99), np.ones(5000, dtype=np.bool_)
    assert calibrated(scores, right, 0.0, SETTINGS, 0.97).threshold is None


def test_what_was_proven_is_held_until_the_average_speaks_against_it() -> None:
    def origin(errors: int) -> str:
        right = np.arange(200) >= errors
        return calibrated(np.full(200, 0.95), right, 0.03, SETTINGS, None, held=GRID[30]).origin

    assert origin(5) == CALIBRATED
    assert origin(7) == PROBATION


def test_the_margin_is_part_of_what_is_proven() -> None:
    scores, right = np.full(155, 0.95), np.ones(155, dtype=np.bool_)
    assert calibrated(scores, right, 0.03, SETTINGS, None).origin == CALIBRATED
    careful = replace(SETTINGS, margin=0.8)
    assert calibrated(scores, right, 0.03, careful, None).origin == PROBATION


def test_a_threshold_that_is_too_low_is_rarely_proven_however_often_one_looks() -> None:
    fooled = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scores, right = rng.random(1500) / 2 + 0.5, rng.random(1500) >= 0.05
        fooled += any(
            calibrated(scores[:n], right[:n], 0.05, SETTINGS, None).origin == CALIBRATED
            for n in range(100, 1501, 100)
        )
    assert fooled <= 6
