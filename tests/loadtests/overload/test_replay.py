"""One run: who is served, and what adaptation does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cachemw_policies.adaptation import AdaptationSettings, Knee
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState

from loadtests.overload.replay import HIT_S, Cache, replay
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import NOTHING_NEAR, Arrival
from loadtests.overload.upstream import Capacity

ASKED = Scored(np.arange(3), np.array([0.9, 0.6, 0.1]), np.array([True, False, False]))
POLICY = CategoryPolicy("default", ttl=100.0, ttl_overload=400.0, delta=0.1, delta_overload=0.3)
STATE = CategoryState(Bar(0.8, "test"), Bar(0.5, "test"))
CALM = Cache(POLICY, STATE, None)
# One call in flight is full load, and the level follows within a second.
EAGER = AdaptationSettings(in_flight=Knee(0.1, 0.9), capacity=1, rise_s=1.0, fall_s=1e6)
CAPACITY = Capacity(slots=1, waiting=1, first_s=50.0)


def at(second: float, pair: int, age_s: float = 1.0) -> Arrival:
    return Arrival(second, 100, 10, pair, age_s)


def test_without_adaptation_the_normal_values_hold() -> None:
    out = replay([at(0, 0), at(1, 1), at(2, 0, age_s=150.0)], ASKED, CALM, CAPACITY)
    assert out.hit.tolist() == [True, False, False]
    assert out.seconds[0] == HIT_S
    assert out.sent.tolist() == [False, True, True]


def test_under_load_worse_and_older_answers_are_served() -> None:
    asked = [at(0, NOTHING_NEAR), at(10, 1), at(20, 0, age_s=150.0), at(30, 2)]
    out = replay(asked, ASKED, Cache(POLICY, STATE, EAGER), CAPACITY)
    assert out.level[1] > 0.9
    assert out.hit.tolist() == [False, True, True, False]
    assert out.wrong.tolist() == [False, True, False, False]
    assert out.stale.tolist() == [False, False, True, False]


def test_what_is_safety_critical_does_not_move() -> None:
    policy = replace(POLICY, safety_critical=True)
    asked = [at(0, NOTHING_NEAR), at(10, 1), at(20, 0, age_s=150.0)]
    out = replay(asked, ASKED, Cache(policy, STATE, EAGER), Capacity(slots=1, waiting=5))
    assert not out.hit.any()


def test_what_is_turned_away_has_no_time() -> None:
    out = replay([at(n, NOTHING_NEAR) for n in range(3)], ASKED, CALM, CAPACITY)
    assert np.isnan(out.seconds).tolist() == [False, False, True]
    assert out.seconds[1] == pytest.approx(2 * out.seconds[0] - 1)
    assert out.sent.all()
