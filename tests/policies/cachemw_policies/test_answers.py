"""Whether two answers would have served alike."""

from __future__ import annotations

import pytest
from cachemw_policies.answers import (
    AnswerSettings,
    Outcome,
    compare,
    parts_to_embed,
    share_in_common,
    similarity_of,
)
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
COSINES = st.one_of(st.none(), st.floats(-1, 1))


@pytest.mark.parametrize(
    ("a", "b", "outcome", "reason"),
    [
        ("It is  Paris.", "it is paris", SAME, "equal"),
        ("-5", "5", DIFFERENT, "value"),
        ("I'm sorry, I can't help with that.", "Take the A train.", DIFFERENT, "refusal"),
        ("I cannot say.", "Sorry, I am unable to answer.", UNSURE, "both refuse"),
        ("Yes, since 2001.", "No, it never was.", DIFFERENT, "stance"),
        ("Yes.", "Yes, it is open all day.", SAME, "stance"),
        ("```\nls -l\n```", "Try this:\n```sh\nls  -l\n```", SAME, "code"),
        ("```\nls -l\n```", "```\nrm old.txt && echo done\n```", DIFFERENT, "code"),
        ("```\nls -l a\n```", "```\nls -l b\n```", UNSURE, "code"),
        ("```\nls\n```", "Use the ls command.", UNSURE, "code in one"),
        ("3 * 6 = 18\n#### 18", "She has 3 * 6 = 18 eggs.", SAME, "value"),
        ("3 * 6 = 18\n#### 18", "She has 3 * 5 = 15 eggs.", DIFFERENT, "value"),
        ("1 + 2 + 4 + 11 = 18", "7 * 8 = 56 and 56 - 38 = 18", UNSURE, "value"),
        ("The answer is B.", "Final answer: C", DIFFERENT, "value"),
        ("The answer is New York.", "The answer is NYC.", UNSURE, "value"),
        ("Paris", "The capital of France is Paris.", SAME, "contained"),
        ("Paris", "It is not Paris, it is Rome.", UNSURE, "denied"),
        ("Paris", "Rome", UNSURE, "value"),
        ("B", "(C)", DIFFERENT, "value"),
        ("In the old town.", "Near the river.", UNSURE, "prose"),
        ("It was built in 1932 there.", "They built it during 1933.", DIFFERENT, "numbers"),
        ("It was built by hand, in stone.", "They built it with bricks mostly.", UNSURE, "prose"),
        ("", "Something.", UNSURE, "empty"),
        ("", "", UNSURE, "empty"),
    ],
)
def test_what_answers_say_decides(a: str, b: str, outcome: Outcome, reason: str) -> None:
    verdict = compare(a, b)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_chance_agreement_is_settled_by_the_cosine() -> None:
    a, b = "1 + 2 + 4 + 11 = 18", "7 * 8 = 56 and 56 - 38 = 18"
    assert compare(a, b, 0.9).outcome is SAME
    assert compare(a, b, 0.9, AnswerSettings(value_similarity=0.95)).outcome is UNSURE


def test_the_cosine_does_not_overrule_what_is_said() -> None:
    assert compare("It weighs 3 + 4 = 7 kg.", "It weighs 3 + 4 = 8 kg.", 0.999).outcome is DIFFERENT
    assert compare("Yes, you may park here.", "No, you may park here.", 0.999).outcome is DIFFERENT


def test_prose_by_its_cosine() -> None:
    a = "The old lighthouse stands on a rock near the southern end of the island."
    near = "The old lighthouse stands on a rock close to the southern end of the island."
    denied = "The old lighthouse stands not on a rock near the southern end of the island."
    other = "Whisk the eggs with sugar until the mixture becomes pale and thick."
    assert compare(a, near, 0.98).outcome is SAME
    assert compare(a, near, 0.9).outcome is UNSURE
    assert compare(a, denied, 0.98).outcome is UNSURE
    assert compare(a, near.replace("rock", "reef by Bob"), 0.98).outcome is UNSURE
    assert compare(a, other, 0.98).outcome is UNSURE
    assert compare(a, other, 0.1).outcome is DIFFERENT


@given(TEXTS, TEXTS, COSINES)
def test_symmetric(a: str, b: str, cosine: float | None) -> None:
    assert compare(a, b, cosine) == compare(b, a, cosine)


@given(TEXTS)
def test_an_answer_is_itself(a: str) -> None:
    assert compare(a, a).outcome is not DIFFERENT
    assert compare(a, f"  {a}\n").outcome is not DIFFERENT


@given(TEXTS, TEXTS, st.floats(-1, 1), st.floats(-1, 1))
def test_a_higher_cosine_never_makes_answers_differ(a: str, b: str, x: float, y: float) -> None:
    low, high = sorted((x, y))
    order = [DIFFERENT, UNSURE, SAME]
    found = [order.index(compare(a, b, cosine).outcome) for cosine in (low, high)]
    assert found == sorted(found)


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_share_in_common(one: list[str], other: list[str]) -> None:
    share = share_in_common(one, other)
    assert 0.0 <= share <= 1.0
    assert (share == 1.0) == (sorted(one) == sorted(other))


def test_parts_are_the_beginning_and_the_end() -> None:
    assert parts_to_embed("  abcdef ", 4) == ("abcd", "cdef")
    assert parts_to_embed("abc", 4) == ("abc", "abc")
    assert similarity_of([1.0, 0.5]) == 0.75
