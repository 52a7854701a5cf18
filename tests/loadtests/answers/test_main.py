"""The report of a few pairs, whole."""

from __future__ import annotations

from cachemw_policies.answers import AnswerSettings

from loadtests.answers.__main__ import bias, by_sort, measured, odd_labels, picked, verdicts
from loadtests.answers.cases import WORKED, Case
from loadtests.answers.methods import Method, ours
from loadtests.report import render
from tests.support.service import WordEmbedder

CASES = [
    Case(WORKED, "both right", "1 + 2 = 3", "#### 3", True, True),
    Case(WORKED, "one wrong", "1 + 2 = 3", "#### 4", False, True),
    Case(WORKED, "one wrong", "1 + 2 = 3", "", False, True),
]


def test_sections() -> None:
    cases = measured(CASES, WordEmbedder())
    assert -1.0 <= min(cosine for _, cosine in cases) <= max(cosine for _, cosine in cases) <= 1.001
    methods: dict[str, Method] = {"ours": ours(AnswerSettings())}
    sections = [
        verdicts(cases, methods),
        by_sort(cases, AnswerSettings()),
        bias(cases, methods),
        picked(AnswerSettings(), (0.1, 0.9), 0.5),
    ]
    text = render("t", "c", sections)
    assert "| worked problems: ours | 1 + 2 | 100.0% | 0.0% (0.0%–65.8%) | 50.0% |" in text
    assert "| worked problems: one wrong | different | 2 |  | value 50.0% | empty 50.0% |" in text
    assert "| worked problems: ours | 2 of 3 | 0.0% | 0.5% | 1.5% | 5.3% |" in text
    assert all(len(row) == len(section.head) for section in sections for row in section.rows)


def test_pairs_that_the_data_judges_oddly_are_said() -> None:
    assert "GSM8K's 2 pairs" in (text := odd_labels([("#### 4", "$4.00"), ("#### 4", "5")]))
    assert "calls 1 of them the same" in text
