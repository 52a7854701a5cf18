"""What is counted, and over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState

from loadtests.overload.compare import FIXED, Question, between, figures, over_seeds, runs
from loadtests.overload.replay import Outcome
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import Mix, Recorded
from loadtests.overload.upstream import Capacity


def outcome(hit: list[int], wrong: list[int], pressure: list[float]) -> Outcome:
    seconds = np.where(np.array(hit, dtype=np.bool_), 0.02, 4.0)
    none = np.zeros(len(hit))
    return Outcome(
        seconds,
        np.array(hit, dtype=np.bool_),
        np.array(wrong, dtype=np.bool_),
        none.astype(np.bool_),
        np.array(pressure),
        none,
    )


def test_what_is_taken_off_is_counted_where_it_was_overloaded_before() -> None:
    fixed = outcome([1, 0, 0, 0, 0, 0], [0] * 6, [0, 0, 0.5, 0.9, 1, 1])
    moved = outcome([1, 0, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0], [0] * 6)
    got = figures(moved, fixed)
    assert got.taken == pytest.approx(2 / 5)
    assert got.taken_overloaded == pytest.approx(2 / 4)
    assert got.overloaded == pytest.approx(4 / 6)
    assert got.wrong == pytest.approx(1 / 3)
    assert got.wrong_arrivals == pytest.approx(1 / 6)
    assert figures(fixed, fixed).taken == 0.0


def test_nothing_overloaded_has_no_share() -> None:
    calm = outcome([0, 0], [0, 0], [0, 0])
    assert math.isnan(figures(calm, calm).taken_overloaded)
    found = over_seeds([figures(calm, calm)] * 3)
    assert math.isnan(found["taken_overloaded"].mean)
    assert found["p50_s"].mean == 4.0


def test_intervals_are_students() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    got = between(values)
    # t(0.975, 4) = 2.776
    assert got.mean == 3.0
    assert got.reach == pytest.approx(2.776 * math.sqrt(2.5 / 5), rel=0.01)
    assert between([1.0, math.nan, 3.0]).mean == 2.0


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        got = between(rng.standard_normal(20).tolist())
        covered += abs(got.mean) <= got.reach
    assert 365 <= covered <= 392


def test_adaptation_takes_load_off_and_the_same_seed_gives_the_same() -> None:
    rng = np.random.default_rng(1)
    trace = [Recorded(float(n), 500, int(rng.integers(50, 400))) for n in range(1500)]
    scores = rng.random(200)
    asked = Scored(np.arange(200), scores, rng.random(200) < scores)
    policy = CategoryPolicy(
        "default", ttl=3600.0, ttl_overload=14_400.0, delta=0.1, delta_overload=0.3
    )
    state = CategoryState(Bar(0.9, "test"), Bar(0.5, "test"))
    question = Question(trace, asked, policy, state, Capacity())
    found = runs(question, 1.5, Mix(), seed=1)
    assert found == runs(question, 1.5, Mix(), seed=1)
    fixed, moved = found[FIXED], found["threshold, TTL"]
    assert moved.taken_overloaded > 0.1
    assert moved.wrong > fixed.wrong
    assert moved.p50_s < fixed.p50_s
    calm = runs(question, 0.3, Mix(), seed=1)
    assert calm["threshold, TTL"].taken == pytest.approx(0.0, abs=0.01)
