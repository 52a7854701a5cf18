"""The report on adaptation."""

from __future__ import annotations

import math

import numpy as np
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState

from loadtests.overload.compare import FIXED, Between, Figures, Question, over_seeds
from loadtests.overload.scores import COSINE, VERIFIER, Held, Scored
from loadtests.overload.tables import JUDGED, ByWay, Done, percent, report
from loadtests.overload.traffic import Mix
from loadtests.overload.upstream import Capacity

SCORED = Scored(np.arange(4), np.linspace(0, 1, 4), np.array([True, False, True, True]))


def ways(*taken: float) -> ByWay:
    found = [
        Figures(0.2, 0.05, 0.01, 0.03, 0.0, 2.0, 9.0, 0.6, share / 2, share) for share in taken
    ]
    return {FIXED: over_seeds(found), JUDGED: over_seeds(found)}


def rendered(scale: str, by_load: dict[float, ByWay]) -> str:
    done = Done(by_load, {0.5: ways(0.1, 0.1)}, 1.2, (20, 10))
    policy = CategoryPolicy("default", ttl=3600.0, ttl_overload=7200.0)
    bars = CategoryState(Bar(0.9, "calibrated", 500, 3), Bar(0.7, "calibrated", 900, 80))
    question = Question([], SCORED, policy, bars, Capacity())
    return report(done, question, Held(SCORED, SCORED, scale), Mix(), "Command: `x`.")


def test_a_bar_needs_the_whole_interval() -> None:
    text = rendered(VERIFIER, {1.2: ways(0.12, 0.13, 0.12), 1.5: ways(0.05, 0.20, 0.10)})
    assert "offered load 1.2 (paper: 9-17 %, projected) | >= 9% | 12.3% ± 1.4 | pass" in text
    (missed,) = [line for line in text.splitlines() if "**miss**" in line]
    assert "offered load 1.5" in missed
    assert "11.7%" in missed
    assert "(calibrated, 80 wrong of 900)" in text
    assert "verifier's probability" in text


def test_calm_loads_have_no_bar_and_the_cosine_is_owned_up_to() -> None:
    text = rendered(COSINE, {0.8: ways(0.0, 0.0)})
    assert "offered load 0.8 (" not in text
    assert "offered load 1.2, 50% near (" in text
    assert "not at hand" in text


def test_a_share_that_is_not_there() -> None:
    assert percent(Between(math.nan, math.nan)) == "none"
