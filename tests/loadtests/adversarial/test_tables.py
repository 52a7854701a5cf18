from __future__ import annotations

from dataclasses import replace

from loadtests.adversarial.pairs import AdversarialPair
from loadtests.adversarial.tables import bar, by_kind, mistakes, overview, refusals, served
from loadtests.adversarial.verdicts import Subject, Verdict

FULL = Subject("full decision", lambda v: v.score >= 0.5)
NONE = Subject("nothing", lambda v: False)


def _verdict(kind: str, score: float, guard: str | None = None, a: str = "a") -> Verdict:
    return Verdict(AdversarialPair(a, "b", False, kind), True, 0.9, guard, score)


VERDICTS = [_verdict("date", 0.9), _verdict("date", 0.1), _verdict("units", 0.2, "units")]


def test_a_row_for_all_and_for_each_kind() -> None:
    section = by_kind("Title", "About.", VERDICTS, (FULL, NONE))
    assert section.head == ("kind", "pairs", "full decision", "nothing")
    assert [row[:2] for row in section.rows] == [("all", "3"), ("date", "2"), ("units", "1")]
    assert section.rows[0][2].startswith("33.3% (")
    assert section.rows[1][2].startswith("50.0% (")
    assert section.rows[2][2].startswith("0.0% (0.0%–")
    assert all(row[3].startswith("0.0%") for row in section.rows)


def test_a_row_for_each_way_to_decide() -> None:
    hit = replace(VERDICTS[0], pair=replace(VERDICTS[0].pair, same=True))
    section = overview([*VERDICTS, hit], (FULL, NONE))
    assert [row[0] for row in section.rows] == ["full decision", "nothing"]
    half = hit.pair.half  # of all of them
    misses = section.head.index(f"must not hit, {half} (3)")
    hits = section.head.index(f"must hit, {half} (1)")
    assert [row[misses][:5] for row in section.rows] == ["33.3%", "0.0% "]
    assert [row[hits][:6] for row in section.rows] == ["100.0%", "0.0% ("]


def test_the_bar() -> None:
    assert served(VERDICTS, FULL).value == 1 / 3
    assert not bar(VERDICTS, FULL, 0.3).met
    assert bar(VERDICTS, FULL, 0.34).met
    assert bar(VERDICTS, NONE, 0.0).met


def test_why_pairs_are_refused() -> None:
    section = refusals(VERDICTS, FULL, 0.6)
    assert {row[0] for row in section.rows} == {"score below the threshold", "guard: units"}
    assert all(row[1].startswith("33.3%") for row in section.rows)


def test_mistakes_are_shown_worst_first_and_fit_a_table() -> None:
    verdicts = [_verdict("date", 0.6), _verdict("date", 0.9, a="x | y"), _verdict("date", 0.1)]
    section = mistakes(verdicts, FULL)
    assert [row[4] for row in section.rows] == ["0.900", "0.600"]
    assert section.rows[0][1] == "x \\| y"
