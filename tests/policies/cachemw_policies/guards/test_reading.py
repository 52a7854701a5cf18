"""Words as the guards see them."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.reading import read
from hypothesis import given
from hypothesis import strategies as st

CASES = [
    ("What's new?", "what is new"),
    ("I DON’T know", "i do not know"),
    ("dont, can't, cannot, won't", "do not can not can not will not"),
    ("I'm sure they've said we'll go", "i am sure they have said we will go"),
    ("Ann's book, the girls' books", "ann book the girls books"),
    ("the 60's", "the 60s"),
    ("C++ or C#?", "c++ or c#"),
    ("$100, 20 % or -5", "$ 100 20 % or -5"),
    ("10-20 and GPT-4", "10 20 and gpt 4"),
    ("3.10, 1,000 and 5/6.", "3.10 1,000 and 5/6"),
    ("7 - 5 is well-known - or not", "7 - 5 is well known or not"),
    ("at 10:30: go", "at 10:30 go"),
    ("snake_case os.path", "snake case os path"),
    ("the United  States of America", "the usa"),
    ("U.S. and U.K.", "usa and uk"),
    ("World War II, WWII", "ww2 ww2"),
    ("", ""),
    ("¿?!", ""),
]


@pytest.mark.parametrize(("text", "words"), CASES)
def test_words(text: str, words: str) -> None:
    assert " ".join(read(text).words) == words


@given(st.text())
def test_any_text_has_words_without_blanks(text: str) -> None:
    question = read(text)

    assert question.vocabulary == set(question.words)
    assert all(word and not any(map(str.isspace, word)) for word in question.words)


@given(st.text(), st.sampled_from(["?", "??", ".", "!", "…", " ?", "\n", " "]))
def test_the_mark_at_the_end_does_not_count(text: str, mark: str) -> None:
    assert read(f"{text} {mark}").words == read(text).words
    assert read(f"{text}x{mark}").words == read(f"{text}x").words


@given(
    st.lists(
        st.sampled_from(
            ["How", "do", "I", "sort", "-5", "United", "States", "1,000", "don't", "C++"]
        )
    )
)
def test_neither_do_blanks_nor_letter_case(words: list[str]) -> None:
    text = " ".join(words)

    assert read(text).words == read("  \t".join(words)).words
    assert read(text).words == read(text.upper()).words


def test_two_readings_of_a_word_do_not_run_together() -> None:
    # 60 000 characters each: quadratic time would show as a test that does not end.
    for part in ("a", "1", "1,", "-1", "a'", "'", "don't ", "united ", "world war "):
        text = part * (60_000 // len(part))
        assert len(read(text).words) <= len(text)
