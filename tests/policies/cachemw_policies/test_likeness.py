"""Lexical features of two questions."""

from __future__ import annotations

import math

import pytest
from cachemw_policies.likeness import FEATURES, features
from hypothesis import given
from hypothesis import strategies as st


def named(stored: str, asked: str) -> dict[str, float]:
    return dict(zip(FEATURES, features(stored, asked, -1.5, 0.9), strict=True))


def test_what_two_questions_share_is_counted() -> None:
    found = named("How do I sort a list?", "How do I reverse a long list")
    assert found == {
        "logit": -1.5,
        "cosine": 0.9,
        "words in common": 5 / 8,
        "content words in common": 1 / 4,
        "content words of the poorer in common": 1 / 2,
        "content words of one alone": 3.0,
        "trigrams in common": pytest.approx(12 / 33),
        "words of the shorter": 6.0,
        "words of the longer": 7.0,
        "difference in words": 1.0,
        "ratio of words": 6 / 7,
        "first word alike": 1.0,
        "last word alike": 1.0,
        "texts alike": 0.0,
    }


def test_case_and_space_make_no_difference() -> None:
    found = named("What is  Rust?", "what is rust?")
    assert found["texts alike"] == found["words in common"] == 1.0


def test_a_difference_behind_what_is_read_is_seen() -> None:
    long = "word " * 5000
    assert named(long + "one", long + "two")["texts alike"] == 0.0


@given(st.text(), st.text())
def test_the_order_does_not_matter_but_for_the_logit(one: str, other: str) -> None:
    found = features(one, other, 0.5, 0.7)
    assert found == features(other, one, 0.5, 0.7)
    assert len(found) == len(FEATURES)
    assert all(math.isfinite(value) for value in found)


@given(st.text(min_size=1))
def test_a_text_is_like_itself(text: str) -> None:
    found = named(text, text)
    assert found["texts alike"] == found["first word alike"] == found["last word alike"] == 1.0
    assert found["content words of one alone"] == found["difference in words"] == 0.0


@pytest.mark.parametrize("text", ["", " ", "?", "the"])
def test_texts_without_content_have_features(text: str) -> None:
    assert named(text, "What is Rust?")["content words in common"] == 0.0


def test_long_texts_take_no_more_than_linear_time() -> None:
    # A quadratic step would take hours on a million characters: the time allowed to a test ends it.
    assert features("ab " * 350_000, "ba " * 350_000, 0.0, 0.0)[-1] == 0.0
