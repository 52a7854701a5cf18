from __future__ import annotations

from loadtests.kv.fuzz.cases import Case
from loadtests.kv.fuzz.tables import MIN_INPUTS, extremes, faults, outcomes
from loadtests.kv.fuzz.tally import Tally

RAW, SEALED = Case(4, "raw", "int8", b"1"), Case(7, "sealed", "int8", b"2")


def _tally() -> Tally:
    tally = Tally(grown=3 << 20)
    for _ in range(1999):
        tally.count(RAW, "DamagedData", 0.001)
    tally.count(RAW, "decoded", 0.5)
    tally.count(SEALED, "WrongModel", 0.25)
    tally.hold(SEALED, 0.5)
    return tally


def test_outcomes_by_kind_and_codec() -> None:
    tally = _tally()
    tally.fault(SEALED, "a crash")
    section = outcomes(tally)
    assert section.rows == [
        ("changed as bytes", "int8", "1", "1 999", "0", "0", "0", "0", "2 000"),
        ("changed and sealed again", "int8", "0", "0", "0", "1", "0", "1", "2"),
    ]
    assert [(bar.measured, bar.met) for bar in section.bars] == [("2 002", False), ("1", False)]


def test_the_bars_can_be_met() -> None:
    tally = _tally()
    tally.outcomes["raw", "int8", "DamagedData"] += MIN_INPUTS
    assert all(bar.met for bar in (*outcomes(tally).bars, *extremes(tally).bars))


def test_a_codec_that_only_fails_has_a_row() -> None:
    tally = Tally()
    tally.fault(SEALED, "a crash")
    assert [row[1:] for row in outcomes(tally).rows] == [
        ("int8", "0", "0", "0", "0", "0", "1", "1")
    ]


def test_extremes_name_their_inputs() -> None:
    section = extremes(_tally())
    assert section.rows == [("int8", "500.0 ms", "4", "50%", "7")]
    assert "3 MiB" in section.about


def test_too_slow_or_too_large_is_a_miss() -> None:
    tally = _tally()
    tally.count(RAW, "decoded", 2.5)
    tally.hold(RAW, 1.5)
    assert [bar.met for bar in extremes(tally).bars] == [False, False]


def test_the_first_faults_are_shown() -> None:
    tally = _tally()
    for number in range(50, 0, -1):
        tally.fault(Case(number, "raw", "zstd", b""), "a | b")
    rows = faults(tally).rows
    assert len(rows) == 20
    assert rows[0] == ("1", "changed as bytes", "zstd", "a \\| b")
