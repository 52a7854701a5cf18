"""The load figures of a model, as samples come."""

from __future__ import annotations

import math

import pytest
from cachemw_policies.adaptation import AdaptationSettings
from cachemw_policies.load import (
    LoadFigures,
    LoadSettings,
    attempted,
    first_token,
)

IDLE = LoadFigures()
SETTINGS = LoadSettings(tau_s=10.0, baseline_tau_s=600.0)


def after(*samples: tuple[float, float], figures: LoadFigures = IDLE) -> LoadFigures:
    """Return the figures after samples of (time, seconds to the first token)."""
    for now, seconds in samples:
        figures = first_token(figures, SETTINGS, seconds, now)
    return figures


def test_nothing_is_known_at_first() -> None:
    assert (LoadFigures().ttft_s, LoadFigures().queueing, LoadFigures().error) == (None, 1.0, 0.0)


def test_the_first_sample_is_the_average() -> None:
    figures = after((5.0, 0.2))
    assert (figures.ttft_s, figures.baseline_s, figures.queueing) == (0.2, 0.2, 1.0)


def test_after_a_time_constant_the_new_weighs_63_percent() -> None:
    figures = after((0.0, 1.0), (10.0, 2.0))
    assert figures.ttft_s == pytest.approx(2.0 - math.exp(-1.0))


def test_the_average_forgets_by_time_not_by_number() -> None:
    rare = after((0.0, 1.0), (10.0, 2.0))
    often = after((0.0, 1.0), *((n / 100, 2.0) for n in range(1, 1001)))
    assert often.ttft_s == pytest.approx(rare.ttft_s)


def test_congestion_shows_against_the_baseline_and_ends() -> None:
    calm = after(*((float(n), 0.1) for n in range(20)))
    busy = after(*((20.0 + n, 1.0) for n in range(40)), figures=calm)
    assert 4.0 < busy.queueing < 10.0
    over = after(*((60.0 + n, 0.1) for n in range(60)), figures=busy)
    assert over.queueing < 1.5


def test_ten_minutes_of_overload_still_show_as_all_of_it() -> None:
    known, figures = LoadSettings(), IDLE
    for second in range(620):
        figures = first_token(figures, known, 0.1 if second < 20 else 2.0, float(second))
    assert figures.queueing > AdaptationSettings().queueing.full


def test_a_lasting_change_becomes_the_baseline() -> None:
    calm = after(*((float(n), 0.1) for n in range(20)))
    slower = after(*((20.0 + 10 * n, 1.0) for n in range(300)), figures=calm)
    assert slower.queueing == pytest.approx(1.0, abs=0.02)


def test_shorter_times_are_believed_at_once() -> None:
    figures = after((0.0, 1.0), *((float(n), 0.1) for n in range(1, 60)))
    assert figures.baseline_s == pytest.approx(0.1, abs=0.03)


def test_a_clock_that_stands_changes_nothing() -> None:
    assert after((5.0, 1.0), (5.0, 9.0), (4.0, 9.0)).ttft_s == 1.0


def test_the_share_of_failed_calls() -> None:
    figures = LoadFigures()
    figures = attempted(figures, SETTINGS, failed=False, now=0.0)
    assert figures.error == 0.0
    figures = attempted(figures, SETTINGS, failed=True, now=10.0)
    assert figures.error == pytest.approx(1 - math.exp(-1.0))
    figures = attempted(figures, SETTINGS, failed=False, now=110.0)
    assert figures.error < 0.001
