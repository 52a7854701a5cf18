"""The part of the report on the real service."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState

from loadtests.overload.live_client import Look, Reply, Seen
from loadtests.overload.live_figures import LiveFigures
from loadtests.overload.live_run import Run
from loadtests.overload.live_tables import OFF, ON, AtLoad, report, row
from tests.loadtests.overload.test_live_figures import PLAN

STATE = CategoryState(Bar(0.98, "calibrated", 126, 0), Bar(0.77, "calibrated", 1767, 176))
FIGURES = LiveFigures(0.6, 0.1, 0.12, 0.1, 0.09, 0.01, 0.02, 0.0, 0.0, 2.0, 5.0, 0.7)
POLICY = CategoryPolicy("questions", ttl=3600.0, ttl_overload=14400.0)


def a_run(level: float) -> Run:
    looks = [Look(1.0, level, 1.0, 0.08, 0.0, 3.0), Look(2.0, level, 10.0, 0.9, 0.0, 40.0)]
    reply = Reply(200, 1.0, "upstream", None, 0.0, {"outcome": "stale", "load": f"{level}"})
    return Run(Seen([reply] * 4, looks), STATE, 3, (4.0, 6.0))


def rendered(*taken: float, replies: Sequence[Reply] | None = None) -> str:
    """Return the report; `replies` are those of the last run without adaptation."""
    on = [replace(FIGURES, taken_overloaded=share) for share in taken]
    runs = {OFF: [a_run(0.0) for _ in taken], ON: [a_run(0.7) for _ in taken]}
    if replies is not None:
        last = runs[OFF][-1]
        runs[OFF][-1] = replace(last, seen=replace(last.seen, replies=replies))
    figures = {OFF: [FIGURES for _ in taken], ON: on}
    done = AtLoad(1.3, PLAN, runs, figures, {"simulation, adaptation on": FIGURES})
    return report([done], POLICY, 3.0, "Command: `x`.")


def test_the_least_is_judged_the_median_shown_and_every_turn_said() -> None:
    text = rendered(0.10, 0.14)
    assert "offered load 1.3, least of all turns (paper: 9-17 %) | >= 9% | 10.0% | pass" in text
    assert "| service, adaptation on | 60.0% | 10.0% | 12.0% |" in text
    assert "turn by turn: 10.0%, 14.0%" in text
    assert "**miss**" in rendered(0.05, 0.18)


def test_thresholds_machine_and_baseline_are_said() -> None:
    text = rendered(0.1)
    assert "0.98 for 0.03 (calibrated, 0 wrong of 126)" in text
    assert "load average 4.0 to 6.0" in text
    assert "80 to 90 ms" in text
    assert "with adaptation: stale 4" in text


def test_the_level_is_shown_over_time() -> None:
    text = rendered(0.1)
    assert "| gauge, turn 1 | 0.70 |" in text
    assert "| at decisions, turn 1 | 0.70 |" in text


def test_a_turn_whose_category_was_paused_is_owned_up_to() -> None:
    assert "no fair comparison" not in rendered(0.1)
    paused = Reply(200, 1.0, "upstream", None, 0.0, {"outcome": "no_lookup"})
    text = rendered(0.1, 0.2, replies=[paused] * 4)
    assert "**Turn 2 (adaptation off) is no fair comparison**" in text


def test_a_figure_that_is_not_there() -> None:
    assert row("x", replace(FIGURES, wrong=math.nan))[5] == "none"
