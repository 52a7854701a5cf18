"""The level of load: bounded, monotone, continuous, and still where the load is."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from random import Random

import pytest
from cachemw_policies.adaptation import (
    AdaptationSettings,
    Knee,
    Level,
    adapted,
    moved,
    pressure,
)
from cachemw_policies.load import LoadFigures, LoadSettings, attempted, first_token
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = AdaptationSettings(capacity=10)
SHARE = st.floats(0, 1)


def figures(
    in_flight: int = 0, queueing: float = 1.0, error: float = 0.0, at: float = 0.0
) -> LoadFigures:
    return LoadFigures(in_flight, queueing, 1.0, at, error, at)


@st.composite
def loads(draw: st.DrawFn) -> LoadFigures:
    return figures(
        draw(st.integers(0, 40)),
        draw(st.floats(0, 20)),
        draw(SHARE),
        draw(st.floats(0, 100)),
    )


def test_a_knee_is_flat_outside_and_smooth_between() -> None:
    knee = Knee(1.0, 3.0)
    assert [knee.pressure(x) for x in (0.0, 1.0, 2.0, 3.0, 9.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    # No kink: a small step from either end moves it by the square of the step.
    assert knee.pressure(1.002) < 1e-5
    assert knee.pressure(2.998) > 1 - 1e-5
    assert knee.pressure(math.nan) == 0.0


@pytest.mark.parametrize(("begin", "full"), [(2.0, 2.0), (3.0, 2.0)])
def test_a_knee_that_is_none_is_refused(begin: float, full: float) -> None:
    with pytest.raises(ValueError, match="a knee begins"):
        Knee(begin, full)


def test_settings_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="times"):
        AdaptationSettings(rise_s=60.0, fall_s=5.0)
    with pytest.raises(ValueError, match="band"):
        AdaptationSettings(band=0.5)


def test_each_signal_counts_by_itself() -> None:
    assert pressure(figures(), SETTINGS, 0.0) == 0.0
    assert pressure(figures(in_flight=12), SETTINGS, 0.0) == 1.0
    assert pressure(figures(queueing=4.0), SETTINGS, 0.0) == 1.0
    assert pressure(figures(error=0.5), SETTINGS, 0.0) == 1.0


def test_the_greatest_counts_and_not_their_number() -> None:
    one = pressure(figures(queueing=2.5), SETTINGS, 0.0)
    assert 0.0 < one < 1.0
    assert pressure(figures(in_flight=9, queueing=2.5, error=0.15), SETTINGS, 0.0) == one


def test_without_a_capacity_calls_in_flight_say_nothing() -> None:
    assert pressure(figures(in_flight=1000), AdaptationSettings(), 0.0) == 0.0


def test_before_the_first_sample_there_is_no_pressure() -> None:
    assert pressure(LoadFigures(), SETTINGS, 1e9) == 0.0


def test_what_was_heard_long_ago_fades() -> None:
    heard = figures(queueing=4.0, error=0.5)
    then = [pressure(heard, SETTINGS, now) for now in (0.0, 60.0, 120.0, 600.0)]
    assert then == sorted(then, reverse=True)
    assert then[0] == 1.0
    assert then[-1] == 0.0


@given(loads(), st.floats(0, 1000))
def test_pressure_is_bounded(load: LoadFigures, now: float) -> None:
    assert 0.0 <= pressure(load, SETTINGS, now) <= 1.0


@given(loads(), st.integers(0, 10), st.floats(0, 5), st.floats(0, 1), st.floats(0, 200))
def test_pressure_and_level_grow_with_every_signal(
    load: LoadFigures, calls: int, seconds: float, error: float, now: float
) -> None:
    assert load.ttft_s is not None
    heavier = (
        load._replace(in_flight=load.in_flight + calls),
        load._replace(ttft_s=load.ttft_s + seconds),
        load._replace(error=min(1.0, load.error + error)),
    )
    before = Level(0.3, 0.0)
    for more in heavier:
        assert pressure(more, SETTINGS, now) >= pressure(load, SETTINGS, now) - 1e-12
        lighter_level = adapted(before, load, SETTINGS, now).value
        assert adapted(before, more, SETTINGS, now).value >= lighter_level - 1e-12


@given(SHARE, SHARE, st.floats(0, 1e6))
def test_a_level_is_bounded_and_continuous_in_time(
    value: float, wanted: float, pause: float
) -> None:
    after = moved(Level(value, 0.0), wanted, SETTINGS, pause)
    assert 0.0 <= after.value <= 1.0
    assert after.value - value <= pause / SETTINGS.rise_s + 1e-12
    assert value - after.value <= pause / SETTINGS.fall_s + 1e-12


@given(SHARE, SHARE, st.floats(0, 30), st.floats(0, 30))
def test_how_often_one_looks_does_not_matter(
    value: float, wanted: float, first: float, second: float
) -> None:
    once = moved(Level(value, 0.0), wanted, SETTINGS, first + second)
    twice = moved(moved(Level(value, 0.0), wanted, SETTINGS, first), wanted, SETTINGS, once.at or 0)
    assert twice.value == pytest.approx(once.value)


@given(SHARE, SHARE)
def test_in_the_end_a_level_is_within_the_band(value: float, wanted: float) -> None:
    after = moved(Level(value, 0.0), wanted, SETTINGS, 1000.0)
    assert abs(after.value - wanted) <= SETTINGS.band + 1e-12


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_ends_are_reached_all_the_way(end: float) -> None:
    assert moved(Level(0.5, 0.0), end, SETTINGS, 1000.0).value == end


def test_it_rises_fast_and_falls_slowly() -> None:
    assert moved(Level(0.0, 0.0), 1.0, SETTINGS, 5.0).value == 1.0
    assert moved(Level(1.0, 0.0), 0.0, SETTINGS, 30.0).value == pytest.approx(0.5)
    assert moved(Level(1.0, 0.0), 0.0, SETTINGS, 60.0).value == 0.0


def test_the_first_look_and_a_clock_that_stands_move_nothing() -> None:
    assert moved(Level(), 1.0, SETTINGS, 7.0) == Level(0.0, 7.0)
    assert moved(Level(0.4, 7.0), 1.0, SETTINGS, 3.0) == Level(0.4, 7.0)


def test_when_the_load_is_gone_the_level_goes_to_zero() -> None:
    level, load = Level(), figures(in_flight=20, queueing=9.0, error=1.0)
    for second in range(20):
        level = adapted(level, load, SETTINGS, float(second))
    assert level.value == 1.0
    # Nothing is sent any more, so nothing new is heard either.
    idle = load._replace(in_flight=0)
    for second in range(20, 600):
        level = adapted(level, idle, SETTINGS, float(second))
    assert level.value == 0.0


def turns(values: list[float]) -> int:
    """Count changes of direction."""
    steps = [b - a for a, b in itertools.pairwise(values) if b != a]
    return sum((a > 0) != (b > 0) for a, b in itertools.pairwise(steps))


def noisy_levels(settings: AdaptationSettings, mean_s: float, seed: int) -> list[float]:
    """Return the levels over ten minutes of calls whose times scatter around one mean."""
    rng, known = Random(seed), LoadSettings()
    load = LoadFigures(ttft_s=0.5, baseline_s=0.5)
    level, now, levels = Level(), 0.0, []
    while now < 600.0:
        now += rng.expovariate(5.0)
        # The baseline stays: its own drift is no noise.
        load = first_token(load, known, rng.gammavariate(4.0, mean_s / 4.0), now)
        load = attempted(load, known, failed=rng.random() < 0.02, now=now)
        load = load._replace(baseline_s=0.5)
        level = adapted(level, load, settings, now)
        if now > 60.0:
            levels.append(level.value)
    return levels


@pytest.mark.parametrize("mean_s", [0.5, 0.9, 1.2, 1.5, 2.5])
def test_noise_does_not_make_it_flap(mean_s: float) -> None:
    runs = [noisy_levels(SETTINGS, mean_s, seed) for seed in range(5)]
    bare = [noisy_levels(replace(SETTINGS, band=0.0, fall_s=5.0), mean_s, s) for s in range(5)]
    most = max(map(turns, runs))
    # Nine minutes, about 2 700 calls.
    assert most <= 15
    if mean_s in {0.9, 1.2, 1.5}:
        assert sum(map(turns, bare)) > 20 * (sum(map(turns, runs)) + 1)
