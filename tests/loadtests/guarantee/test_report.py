"""The report, on pairs that are made up."""

from __future__ import annotations

import numpy as np

from loadtests.guarantee.data import Judged
from loadtests.guarantee.report import (
    DEFAULT,
    DELTAS,
    POLICIES,
    Outcome,
    Plan,
    bars,
    judge,
    report,
    worth,
)
from loadtests.guarantee.serve import Run
from loadtests.guarantee.streams import STREAMS


def pairs() -> Judged:
    rng = np.random.default_rng(8)
    scores = rng.random(600)
    return Judged(
        scores=scores,
        cosines=0.6 + 0.4 * scores,
        same=rng.random(600) < scores,
        entries=np.repeat(np.arange(60), 10),
        words=rng.integers(3, 20, 600),
    )


def run(served: int, right: int) -> Run:
    return Run(lookups=100, served=served, right=right, possible=50, checks=3, first=4)


def test_runs_within_delta_are_counted() -> None:
    found = Outcome(0.1, [run(10, 9), run(10, 8), run(0, 0)])
    assert (found.within.part, found.within.whole) == (2, 3)
    row = found.row("some")
    assert row[:2] == ("some", "10%")
    assert row[4] == "20.0%"
    assert row[7] == "4"


def test_a_policy_that_mostly_never_serves_says_so() -> None:
    never = Run(lookups=100, served=0, right=0, possible=50, checks=0, first=None)
    assert Outcome(0.1, [never, never, run(1, 1)]).row("some")[7] == "never"


def test_bars_are_those_of_the_default() -> None:
    good, bad = Outcome(0.03, [run(100, 99)] * 20), Outcome(0.03, [run(100, 90)] * 20)
    found = {("pooled, probation", delta): good if delta > 0.01 else bad for delta in DELTAS}
    assert [bar.met for bar in bars("stream", found)] == [False, True, True]


def test_fixed_thresholds_run_once_for_all_deltas() -> None:
    found = judge("as it is", pairs(), Plan(runs=2, lookups=300), POLICIES)
    runs = [found["score 0.97", delta].runs for delta in DELTAS]
    assert runs[0] is runs[1] is runs[2]
    pooled = [found["pooled, probation", delta].runs for delta in DELTAS]
    assert pooled[0] is not pooled[1]


def test_the_report_names_every_stream_and_policy() -> None:
    text = report(pairs(), "made up", Plan(runs=1, lookups=300), "2026-01-01", "test")
    for name in (*STREAMS, *POLICIES):
        assert name.lower() in text.lower()
    assert "## Bars" in text


def test_runs_that_serve_nothing_are_left_out_of_what_bars_are_worth() -> None:
    some = Outcome(0.03, [run(0, 0), run(0, 0), run(100, 99), run(10, 9)])
    none = Outcome(0.01, [run(0, 0)] * 4)
    outcomes = {(DEFAULT, delta): some if delta > 0.01 else none for delta in DELTAS}
    rows = worth({"stream": outcomes}).rows
    assert rows[0] == ("stream: 1%", "0.0%", "", "")
    assert rows[1][1].startswith("50.0%")
    assert rows[1][2].startswith("50.0%")
    assert rows[1][3] == "55"
