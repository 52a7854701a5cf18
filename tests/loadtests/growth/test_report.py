from __future__ import annotations

from loadtests.growth.measure import Times
from loadtests.growth.prepare import Case
from loadtests.growth.report import Figures, section
from loadtests.stats import Spread

CASES = [Case("sqlite", "one", entries) for entries in (1000, 100_000)]


def _times(ms: float) -> Times:
    spreads = [Spread(ms, 2 * ms)]
    stages = {stage: [0.5] for stage in ("embed", "search", "verify", "store_get")}
    return Times(spreads, spreads, spreads, spreads, stages, [1.0])


def test_bars_compare_the_two_sizes() -> None:
    figures = {case: Figures([4.0, 20.0, 3.0], 100.0, 2_000_000, 1.0) for case in CASES}
    times = {CASES[0]: _times(1.0), CASES[1]: _times(1.6)}
    result = section("sqlite", "one", CASES, figures, times)
    assert [(bar.measured, bar.met) for bar in result.bars] == [
        ("4.00 s", True),
        *[("1.60 times", False)] * 3,
    ]
    rows = {row[0]: row[1:] for row in result.rows}
    assert rows["resident per entry, bytes"] == ("104858", "1049")
    assert rows["stored per entry, bytes"] == ("2000", "20")
    assert rows["put alone, in bulk, µs"] == ("1000", "10")


def test_without_both_sizes_there_are_no_bars() -> None:
    figures = {CASES[0]: Figures([4.0], 100.0, 2_000_000, 1.0)}
    assert not section("sqlite", "one", CASES[:1], figures, {CASES[0]: _times(1.0)}).bars
