"""Whether two answers would have served alike."""

from __future__ import annotations

import pytest
from cachemw_policies.answers import AnswerSettings, Outcome, compare, one_text, overlap
from hypothesis import given
from hypothesis import strategies as st

SAME, DIFFERENT, UNSURE = Outcome.SAME, Outcome.DIFFERENT, Outcome.UNSURE
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["Yes.", "No, not at all.", "It is 4.", "2 + 2 = 4", "#### 5", "Paris", "```\nls\n```"]
    ),
    st.lists(st.sampled_from("yes no not 3 4 = Paris Rome the is sorry i can't".split())).map(  # noqa: SIM905
        " ".join
    ),
)


@pytest.mark.parametrize(
    ("a", "b", "outcome", "reason"),
    [
        ("-5", "5", DIFFERENT, "value"),
        ("3 * 6 = 18\n#### 18", "She has 3 * 6 = 18 eggs.", SAME, "value"),
        ("3 * 6 = 18\n#### 18", "She has 3 * 5 = 15 eggs.", DIFFERENT, "value"),
        ("18", "First 7 + 4 = 11. Then 11 + 7 = 18 eggs.", SAME, "value"),
        ("1 + 2 + 4 + 11 = 18", "7 * 8 = 56 and 56 - 38 = 18", UNSURE, "value"),
        ("The answer is B.", "Final answer: C", DIFFERENT, "value"),
        ("B", "(C)", DIFFERENT, "value"),
        ("The answer is New York.", "The answer is NYC.", UNSURE, "value"),
        ("Paris", "Rome", UNSURE, "value"),
        ("3 + 4 = 7\nHe pays 7 for 3.", "3 + 4 = 7\nSo 3 cost 7 or 8.", UNSURE, "value"),
        ("3 + 4 = 7\nHe pays 7 for 3.", "3 + 5 = 8\nSo 5 cost 8 or 9.", DIFFERENT, "value"),
        ("Yes.", "No, it never was.", DIFFERENT, "stance"),
        ("Yes.", "Yes, it is open all day.", SAME, "stance"),
        ("Yes, since 2001.", "No, it never was.", UNSURE, "stance"),
        # Kinds of answers of which the wrong ones would not be found either.
        ("It is  Paris.", "it is paris", UNSURE, "prose"),
        ("Paris", "The capital of France is Paris.", UNSURE, "prose"),
        ("It was built in 1932 there.", "They built it during 1933.", UNSURE, "prose"),
        ("I'm sorry, I can't help with that.", "4", UNSURE, "refusal"),
        ("```\nls -l\n```", "```\nls -l\n```", UNSURE, "code"),
        ("4", "", UNSURE, "empty"),
        ("4", "4" * 20_001, UNSURE, "long"),
    ],
)
def test_what_answers_come_to_decides(a: str, b: str, outcome: Outcome, reason: str) -> None:
    verdict = compare(a, b)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_ways_to_one_value_have_to_be_alike() -> None:
    a, b = "1 + 2 + 4 + 11 = 18", "1 + 2 + 15 = 18"
    assert compare(a, b, AnswerSettings(value_overlap=0.5)).outcome is SAME
    assert compare(a, b, AnswerSettings(value_overlap=0.6)).outcome is UNSURE


def test_one_text() -> None:
    assert one_text("It is  Paris.", "it is paris")
    assert not one_text("It is Paris.", "It was Paris.")


@given(TEXTS, TEXTS)
def test_symmetric(a: str, b: str) -> None:
    assert compare(a, b) == compare(b, a)


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999))
def test_sums(a: int, b: int, c: int) -> None:
    solution = f"First there are {a}, then {b}.\n{a} + {b} = {a + b}\n#### {a + b}"
    right = f"Adding them: {a} + {b} = {a + b} in all."
    assert compare(solution, right).outcome is SAME
    if c != a + b:
        assert compare(solution, f"Adding them: {a} + {b} = {c} in all.").outcome is DIFFERENT


@given(TEXTS)
def test_an_answer_is_itself(a: str) -> None:
    assert compare(a, a).outcome is not DIFFERENT
    assert compare(a, f"  {a}\n").outcome is not DIFFERENT


@given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_overlap(one: set[int], other: set[int]) -> None:
    a, b = {str(n) for n in one}, {str(n) for n in other}
    assert overlap(a, b) == overlap(b, a)
    assert (overlap(a, b) == 1.0) == (a == b)
    assert (overlap(a, b) == 0.0) == (a != b and not a & b)
