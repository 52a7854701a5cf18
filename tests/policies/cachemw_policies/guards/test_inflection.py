"""Forms of English words."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.inflection import forms, singular


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("enable", "enabled"),
        ("enable", "enabling"),
        ("buy", "buys"),
        ("buy", "buying"),
        ("carry", "carries"),
        ("carry", "carried"),
        ("stop", "stopped"),
        ("push", "pushes"),
        ("push", "push"),
    ],
)
def test_forms(word: str, form: str) -> None:
    assert form in forms(word)


def test_comparisons_are_words_of_their_own() -> None:
    assert "lower" not in forms("low")


@pytest.mark.parametrize(
    ("word", "one"),
    [("cats", "cat"), ("cities", "city"), ("glass", "glass"), ("paris", "paris"), ("gas", "gas")],
)
def test_singular(word: str, one: str) -> None:
    assert singular(word) == one


def test_a_word_and_its_plural_meet() -> None:
    assert singular("movie") == singular("movies")
