"""Edits of questions."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.verifier import edits
from loadtests.verifier.edits import CHANGING, names, other_manner, other_name


@pytest.mark.parametrize(
    ("kind", "text", "possible"),
    [
        ("unit", "How far is 5 km?", {"How far is 5 miles?"}),
        ("opposite", "How do I Enable it?", {"How do I Disable it?"}),
        ("negation", "What is not sold?", {"What is sold?"}),
        ("negation", "Who can vote?", {"Who cannot vote?"}),
        (
            "roles",
            "How to move from Boston to Denver?",
            {"How to move from Denver to Boston?"},
        ),
    ],
)
def test_an_edit_changes_the_question(kind: str, text: str, possible: set[str]) -> None:
    assert {CHANGING[kind](text, Random(seed)) for seed in range(20)} == possible


@pytest.mark.parametrize("kind", CHANGING)
def test_where_there_is_nothing_to_edit_nothing_is(kind: str) -> None:
    assert CHANGING[kind]("Tell me a story", Random(1)) is None


@given(st.integers(0, 10**15), st.integers(0, 1000))
def test_another_number_is_another(number: int, seed: int) -> None:
    text = f"What happened in {number} there?"
    found = edits.other_number(text, Random(seed))
    assert found is None or found != text


def test_names_that_begin_a_text_are_none() -> None:
    assert names("Boston is far from New York") == ["New York"]
    changed = other_name("how far is New York", Random(1), ["Denver"])
    assert changed == "how far is Denver"
    assert other_name("How Far Is New York", Random(1), ["Denver"]) is None


@given(st.integers(0, 10**6))
def test_the_same_seed_asks_in_the_same_manner(seed: int) -> None:
    text = "How do I change three passwords?"
    found = other_manner(text, Random(seed))
    assert found == other_manner(text, Random(seed))
    assert found != text
    assert found is None or "passw" in found.lower() or "change" in found.lower()
