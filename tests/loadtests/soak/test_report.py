from __future__ import annotations

from loadtests.soak.footprint import Footprint
from loadtests.soak.load import Tally
from loadtests.soak.report import course, growth, replies, said


def _looks(growth_mb: float) -> list[Footprint]:
    return [Footprint(second, 100 + growth_mb * second / 100, 30, 9) for second in range(101)]


def test_what_grows_misses_its_bars() -> None:
    flat, growing = growth(_looks(0), 10), growth(_looks(20), 10)
    assert all(bar.met for bar in flat.bars)
    missed = [bar.what for bar in growing.bars if not bar.met]
    assert missed == [
        "resident memory, MiB, last window against the first",
        "resident memory, straight line over the whole time",
    ]


def test_memory_that_is_given_back_does_not_miss_the_line() -> None:
    line = growth(_looks(-2), 10).bars[-1]
    assert line.met


def test_the_course_is_thinned_out() -> None:
    assert len(course(_looks(0)).rows) < 40


def test_faults_are_listed() -> None:
    tally = Tally()
    assert replies(tally).bars[0].met
    tally.fault("miss", "another answer")
    section = replies(tally)
    assert not section.bars[0].met
    assert "* 1 × miss: another answer" in section.about


def test_log_lines_are_counted_by_what_they_say() -> None:
    warning = '{"time":"%d","level":"warning","logger":"a","message":"m","dependency":"d"}\n'
    section = said(warning % 1 + warning % 2)
    assert section.rows == [("warning", "a", "m", "d", "", "2")]
    assert section.bars[0].met
    assert not said('{"level":"error","message":"request failed"}\n').bars[0].met
    assert not said("Traceback (most recent call last):\n").bars[0].met
