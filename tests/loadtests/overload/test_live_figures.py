"""The figures of a run over HTTP."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loadtests.overload.live_client import Look, Reply, Seen
from loadtests.overload.live_figures import (
    live_figures,
    medians,
    outcomes,
    overload,
    simulated,
    taken,
)
from loadtests.overload.live_plan import Plan
from loadtests.overload.replay import Outcome
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import NOTHING_NEAR, Arrival
from loadtests.overload.upstream import Capacity

ASKED = Scored(np.arange(3), np.ones(3), np.array([True, False, True]))
PLAN = Plan(
    [Arrival(float(n), 1, 1, pair, 0.0) for n, pair in enumerate((0, 1, 2, NOTHING_NEAR))],
    ASKED,
    ["a", "b", "c", "d"],
    ["A", "B", "C"],
    Capacity(),
)
CALM, BUSY = Look(0.5, 0.0, 1.0, 0.1, 0.0, 1.0), Look(1.5, 0.9, 9.0, 0.9, 0.0, 50.0)


def hit(stored: int, age_s: float = 1.0, seconds: float = 0.1) -> Reply:
    decision = {"outcome": "served", "load": "0.50"}
    return Reply(200, seconds, "semantic", stored, age_s, decision)


def miss(status: int = 200, seconds: float = 2.0) -> Reply:
    return Reply(status, seconds, "upstream", None, 0.0, {"outcome": "stale", "load": "0.00"})


OFF = Seen([miss(), miss(), miss(), miss(429)], [CALM, BUSY])


def test_hits_are_right_wrong_another_questions_and_old() -> None:
    on = Seen([hit(0), hit(1, age_s=50.0), hit(0), miss()], [CALM, BUSY])
    found = live_figures(PLAN, on, OFF, ttl=10.0)
    assert found.served == 0.75
    assert found.wrong == 0.5
    assert found.unknown == 0.25
    assert found.stale == 0.25
    assert found.taken == 0.75
    # The last two came while overloaded; one of them was a hit.
    assert found.overloaded == 0.5
    assert found.taken_overloaded == 0.5
    assert found.level == pytest.approx(0.375)
    assert found.p50_s == pytest.approx(0.1)


def test_refusals_and_silence_have_no_time() -> None:
    found = live_figures(PLAN, Seen([miss(), miss(429), miss(0, 30.0), miss()], []), OFF, 10.0)
    assert (found.turned_away, found.timed_out) == (0.25, 0.25)
    assert found.p99_s == 2.0
    assert math.isnan(found.wrong)


def test_overload_is_as_of_the_last_look() -> None:
    assert overload(PLAN, [CALM, BUSY]).tolist() == [False, False, True, True]
    failing = Look(0.5, 0.0, 1.0, 0.1, 0.9, 1.0)
    assert overload(PLAN, [failing]).tolist() == [False, True, True, True]


def test_nothing_is_taken_off_nothing() -> None:
    none = np.zeros(3, dtype=np.bool_)
    assert math.isnan(taken(none, none, ~none))
    assert taken(~none, none, ~none) == 1.0


def test_a_simulated_run_has_the_same_figures() -> None:
    flags = np.array([True, False])
    none = np.zeros(2, dtype=np.bool_)
    seconds = np.array([0.02, 4.0])
    off = Outcome(np.array([2.0, np.nan]), none, none, none, np.ones(2), np.zeros(2))
    on = Outcome(seconds, flags, flags, none, np.ones(2), np.ones(2))
    found = simulated(on, off)
    assert (found.taken, found.taken_overloaded, found.overloaded) == (0.5, 0.5, 1.0)
    assert (found.served, found.wrong, found.level) == (0.5, 1.0, 1.0)
    assert simulated(off, off).turned_away == 0.5
    assert math.isnan(simulated(off, off).wrong)


def test_medians_are_of_each_figure() -> None:
    seen = [Seen([hit(0)] * n + [miss()] * (4 - n), []) for n in (0, 1, 4)]
    assert medians([live_figures(PLAN, one, OFF, 10.0) for one in seen]).served == 0.25


def test_outcomes_are_counted() -> None:
    assert outcomes([hit(0), miss(), Reply(429, 0.1, "", None, 0.0, {})]) == {
        "served": 1,
        "stale": 1,
        "not said": 1,
    }
