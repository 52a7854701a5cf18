"""Comparing stored forms: the cheapest way that settles it, and nothing for half an answer."""

from __future__ import annotations

from typing import Any

import pytest
from cachemw_policies.answers import Outcome, Verdict

from cachemw.shadow.compare import Comparer
from tests.support.checks import CHAT
from tests.support.service import plain_of

A = "The old lighthouse stands on a rock near the southern end of the island."
B = "The old lighthouse stands on a rock close to the southern end of the island."


class FakeJudge:
    def __init__(self, word: bool | None) -> None:
        self.word = word
        self.asked: list[tuple[str, str, str]] = []

    async def same(self, question: str, one: str, other: str) -> bool | None:
        self.asked.append((question, one, other))
        return self.word


async def _compare(comparer: Comparer, stored: Any, fresh: Any, *, judge: bool = True) -> Verdict:
    return await comparer.compare(CHAT, "why?", CHAT.pack(stored), fresh, judge=judge)


async def test_what_is_definite_needs_no_judge() -> None:
    judge = FakeJudge(None)
    comparer = Comparer(judge=judge)
    verdict = await _compare(comparer, plain_of("4"), plain_of("2 + 2 = 4"))
    assert verdict == Verdict(Outcome.SAME, "value")
    verdict = await _compare(comparer, plain_of("Yes."), plain_of("No."))
    assert verdict == Verdict(Outcome.DIFFERENT, "stance")
    assert judge.asked == []


async def test_without_a_judge_prose_is_unsure_even_if_it_is_equal() -> None:
    assert await _compare(Comparer(), plain_of(A), plain_of(A)) == Verdict(Outcome.UNSURE, "prose")


async def test_with_a_judge_equal_prose_is_the_same_without_asking() -> None:
    judge = FakeJudge(False)
    verdict = await _compare(Comparer(judge=judge), plain_of(A), plain_of(A.upper()))
    assert verdict == Verdict(Outcome.SAME, "equal")
    assert judge.asked == []


@pytest.mark.parametrize(
    ("word", "outcome"),
    [(True, Outcome.SAME), (False, Outcome.DIFFERENT), (None, Outcome.UNSURE)],
)
async def test_the_judge_is_asked_for_what_is_unsure(word: bool | None, outcome: Outcome) -> None:
    judge = FakeJudge(word)
    comparer = Comparer(judge=judge)
    assert (await _compare(comparer, plain_of(A), plain_of(B))).outcome is outcome
    assert judge.asked == [("why?", A, B)]
    await _compare(comparer, plain_of(A), plain_of(B), judge=False)
    await _compare(comparer, plain_of("4"), plain_of("5"))
    assert len(judge.asked) == 1


async def test_half_an_answer_is_not_compared() -> None:
    cut = plain_of("The answer is 4")
    cut["choices"][0]["finish_reason"] = "length"
    judge = FakeJudge(True)
    comparer = Comparer(judge=judge)
    for pair in ((cut, plain_of("5")), (plain_of("5"), cut), ({"error": "no"}, plain_of("5"))):
        assert await _compare(comparer, *pair) == Verdict(Outcome.UNSURE, "incomplete")
    assert judge.asked == []


async def test_refusals_that_the_api_marks_are_no_answers() -> None:
    refused = plain_of("")
    refused["choices"][0]["message"] |= {"content": None, "refusal": "4"}
    verdict = await _compare(Comparer(), refused, plain_of("4"))
    assert verdict == Verdict(Outcome.UNSURE, "refusal")


async def test_an_answer_without_text_is_not_compared() -> None:
    called = plain_of("")
    called["choices"][0]["message"] |= {"content": None, "tool_calls": [{"id": "1"}]}
    assert await _compare(Comparer(), called, called) == Verdict(Outcome.UNSURE, "no text")
