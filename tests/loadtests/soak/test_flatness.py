from __future__ import annotations

import pytest

from loadtests.soak.flatness import flatness

SECONDS = [float(second) for second in range(600)]


def test_the_warm_up_does_not_count() -> None:
    values = [second if second < 100 else 100.0 for second in SECONDS]
    flat = flatness(SECONDS, values, warm_up_s=100)
    assert flat.medians == (100.0,) * 5
    assert (flat.change, flat.slope) == pytest.approx((0, 0), abs=1e-9)


def test_steady_growth_is_seen_by_both_measures() -> None:
    flat = flatness(SECONDS, [100 + second / 60 for second in SECONDS], warm_up_s=0)
    assert flat.slope == pytest.approx(1.0)
    assert flat.drift == pytest.approx(0.1, abs=0.01)
    assert flat.change == pytest.approx(0.08, abs=0.01)


def test_single_outliers_change_no_median() -> None:
    values = [1000.0 if second % 50 == 0 else 100.0 for second in SECONDS]
    assert flatness(SECONDS, values, warm_up_s=0).change == 0


def test_too_few_samples_are_no_judgement() -> None:
    with pytest.raises(ValueError, match="too few"):
        flatness(SECONDS[:20], SECONDS[:20], warm_up_s=15)
