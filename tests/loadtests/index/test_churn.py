"""The churn benchmark, small: what it compares with is what the index holds."""

from __future__ import annotations

import gc

from loadtests.index.churn import Churn, Plan
from loadtests.index.churn_report import life, pauses
from loadtests.index.vectors import clustered


async def test_two_small_turnovers_and_their_report() -> None:
    plan = Plan(live=300, turnovers=2, rate=3000.0, asked=200.0, idle_seconds=0.1, lookups=30)
    try:
        outcome = await Churn(plan, clustered(100).stored).run()
    finally:
        gc.unfreeze()
    assert [turnover.recall for turnover in outcome.turnovers] == [1.0, 1.0]
    assert all(150 < turnover.vectors < 600 for turnover in outcome.turnovers)
    assert len(outcome.fresh) == 2
    section = life(plan, outcome, "Made-up.")
    assert [row[0] for row in section.rows] == [
        "fresh, before",
        "fresh, last content",
        "turnover 1",
        "turnover 2",
    ]
    assert all(len(row) == len(section.head) for row in section.rows)
    assert section.bars[0].met
    seen = pauses(outcome)
    assert all(len(row) == len(seen.head) for row in seen.rows)
