from __future__ import annotations

from loadtests.report import Section, at_least, at_most, render

FIGURES = Section(
    "A measurement",
    "How it was made.",
    ("what", "ms"),
    [("one", "1.00"), ("two", "2.00")],
    [at_most("one", 1.0, 1.5, "ms"), at_least("ratio", 0.4, 0.5)],
)


def test_the_report_says_which_bars_were_missed() -> None:
    text = render("Title", "2026-11-22.", [FIGURES])
    assert "| one | <= 1.5 ms | 1.00 ms | pass |" in text
    assert "| ratio | >= 0.5 | 0.40 | **miss** |" in text


def test_the_bars_come_before_the_sections() -> None:
    text = render("Title", "2026-11-22.", [FIGURES])
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Title", "## Bars", "## A measurement"]


def test_a_report_without_bars_has_no_table_of_them() -> None:
    bare = Section("A measurement", "How it was made.", ("what", "ms"), [("one", "1.00")])
    assert "Bars" not in render("Title", "2026-11-22.", [bare])


def test_a_bar_is_met_at_its_limit() -> None:
    assert at_most("x", 1.5, 1.5, "ms").met
    assert at_least("x", 0.5, 0.5).met
