"""Counting what ways of comparing say, and choosing their limits."""

from __future__ import annotations

from collections import Counter

import pytest
from cachemw_policies.answers import AnswerSettings, Outcome

from loadtests.answers.cases import Case
from loadtests.answers.methods import (
    Judged,
    band,
    banded,
    chosen,
    equality,
    judged,
    of,
    one_threshold,
    ours,
    rules,
)

SAME, DIFFERENT, UNSURE = Outcome.SAME, Outcome.DIFFERENT, Outcome.UNSURE


def _case(a: str, b: str, *, same: bool, kind: str = "k") -> Case:
    return Case(kind, "w", a, b, same, False)


def _judged(alike: dict[Outcome, int], unlike: dict[Outcome, int]) -> Judged:
    return Judged(Counter(alike), Counter(unlike))


def test_shares() -> None:
    found = _judged({SAME: 6, DIFFERENT: 1, UNSURE: 3}, {SAME: 2, DIFFERENT: 3})
    assert (found.found_same.value, found.wrongly_different.value) == (0.6, 0.1)
    assert (found.found_different.value, found.wrongly_same.value) == (0.6, 0.4)
    assert (found.unsure.value, found.labels) == (0.2, 12)


def test_what_labels_report() -> None:
    perfect = _judged({SAME: 9}, {DIFFERENT: 9})
    assert perfect.share_of_labels_wrong(0.03) == pytest.approx(0.03)
    blind = _judged({SAME: 9}, {UNSURE: 9})
    assert blind.share_of_labels_wrong(0.5) == 0.0
    rare = _judged({SAME: 3, DIFFERENT: 1, UNSURE: 96}, {UNSURE: 9})
    assert rare.share_of_labels_wrong(0.0) == 0.25
    assert _judged({UNSURE: 9}, {UNSURE: 9}).share_of_labels_wrong(0.1) is None


def test_methods() -> None:
    equal, sums = (
        _case("It is 4", "it is 4.", same=True),
        _case("1 + 1 = 2", "1 + 2 = 3", same=False),
    )
    assert (equality(equal, 0.0), equality(sums, 1.0)) == (SAME, DIFFERENT)
    assert [banded(0.2, 0.8)(equal, cosine) for cosine in (0.1, 0.5, 0.8)] == [
        DIFFERENT,
        UNSURE,
        SAME,
    ]
    mine, tried = ours(AnswerSettings()), rules(AnswerSettings())
    assert (mine(sums, 0.0), tried(sums, 0.0)) == (DIFFERENT, DIFFERENT)
    prose = _case("Paris", "It is in Paris.", same=True)
    assert (mine(prose, 1.0), tried(prose, 1.0)) == (UNSURE, SAME)


def test_counting() -> None:
    cases = [(_case("4", "4", same=True), 1.0), (_case("4", "5", same=False, kind="o"), 0.9)]
    found = judged(cases, ours(AnswerSettings()))
    assert (found.alike, found.unlike) == (Counter({SAME: 1}), Counter({DIFFERENT: 1}))
    assert of(cases, "o") == cases[1:]


def test_limits_of_the_cosine() -> None:
    alike = [(_case("a", "b", same=True), 0.5 + n / 1000) for n in range(400)]
    unlike = [(_case("a", "b", same=False), 0.2 + n / 1000) for n in range(400)]
    low, high = band(alike + unlike)
    assert low == pytest.approx(0.5, abs=0.011)
    assert high == pytest.approx(0.6, abs=0.011)
    assert 0.48 <= one_threshold(alike + unlike) <= 0.62


def test_the_overlap_is_as_loose_as_the_limit_allows() -> None:
    alike = (_case("1 + 2 + 3 = 6", "1 + 2 + 3 = 6", same=True), 1.0)
    chance = (_case("1 + 5 = 6", "4 + 2 = 6", same=False), 0.5)
    assert chosen([alike]).value_overlap == 0.0
    # They share one of five numbers.
    assert chosen([alike, chance]).value_overlap == 0.3
