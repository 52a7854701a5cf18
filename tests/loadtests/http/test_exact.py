from __future__ import annotations

import pytest

from loadtests.http.effort import QUICK
from loadtests.http.exact import CONNECTIONS, JUDGED, Run, measure, section
from loadtests.http.wrk import Load
from loadtests.report import render

NAMES = ["cachemw, exact hit", "bare ASGI"]


def _run(rate: float) -> Run:
    return Run(Load(300, rate, 1.0, 2.0), 12.0)


def test_the_bar_is_about_the_median_of_ratios() -> None:
    runs = {(name, count): [_run(100.0)] * 3 for name in NAMES for count in CONNECTIONS}
    runs["cachemw, exact hit", JUDGED] = [_run(rate) for rate in (60.0, 10.0, 70.0)]
    result = section(runs, NAMES, QUICK)
    assert [(bar.measured, bar.met) for bar in result.bars] == [("0.60", True)]
    row = next(row for row in result.rows if row[0] == f"{JUDGED}, cachemw, exact hit")
    assert row == (
        f"{JUDGED}, cachemw, exact hit",
        "60",
        "1.00",
        "2.00",
        "12.0",
        "0.60",
        "0.60 0.10 0.70",
    )


async def test_without_wrk_it_is_said_that_nothing_was_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    result = await measure(None, QUICK)  # type: ignore[arg-type]
    assert not result.bars
    assert "wrk is not installed" in render("Title", "", [result])
