"""What holds for all guards together."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.table import GUARDS, flags, objection, read
from hypothesis import given
from hypothesis import strategies as st

PARTS = (
    *("how", "do", "i", "what", "is", "when", "where", "who", "why", "not", "don't", "never"),
    *("Python", "Java", "Linux", "iPhone", "v2", "3.10", "3.1", "2016", "5", "km", "miles"),
    *("$100", "two", "second", "May", "Monday", "today", "the", "a", "in", "French", "to"),
    *("from", "Rome", "Paris", "`ls", "-l`", '"dog"', "read_csv", "getUser()", "USA", '"United'),
    *('States"', "enable", "disable", "off", "on", "without", "and", "or", "?", ",", ".", "us"),
    *("ann@example.com", "2019-05-01", "5/6/19", "1,000", "k", "%", "°", "+", "-5", "’", "im"),
    *("-", "/", "x", "7", "US", "U.S.", "in", "India", "near", "top", "best", "log"),
)
QUESTIONS = st.lists(st.sampled_from(PARTS), max_size=14).map(" ".join) | st.text(max_size=60)


@given(QUESTIONS, QUESTIONS)
def test_the_order_of_the_two_does_not_matter(a: str, b: str) -> None:
    one, two = read(a), read(b)

    assert flags(one, two) == flags(two, one)


@given(QUESTIONS)
def test_no_guard_objects_to_the_same_question(text: str) -> None:
    assert not any(guard(read(text), read(text)) for guard in GUARDS.values())


@given(st.lists(st.sampled_from(PARTS), max_size=14))
def test_nor_to_it_in_other_letters_blanks_and_marks(parts: list[str]) -> None:
    text = " ".join(parts)
    for other in (text.upper(), text.lower(), text.title(), "  ".join(parts), f"{text} ?!"):
        if read(other).words == read(text).words:  # `.title()` tears some words apart
            assert not any(guard(read(text), read(other)) for guard in GUARDS.values())
            assert objection(read(text), read(other)) is None


@given(st.lists(st.sampled_from(PARTS), max_size=14))
def test_upper_case_and_a_mark_leave_the_words(parts: list[str]) -> None:
    text = " ".join(parts)

    assert not any(flags(read(text), read(f"{text.upper()} ?")))


@given(QUESTIONS, QUESTIONS)
def test_the_first_that_objects_is_named(a: str, b: str) -> None:
    one, two = read(a), read(b)
    raised = [name for name, flag in zip(GUARDS, flags(one, two), strict=True) if flag]

    assert objection(one, two) == (raised[0] if raised else None)


def test_a_flag_for_every_guard() -> None:
    one, two = read("Is 5 much?"), read("Is 6 much?")

    assert next(iter(GUARDS)) == "numbers"
    assert objection(one, two) == "numbers"
    assert flags(one, two) == (True,) + (False,) * (len(GUARDS) - 1)


@pytest.mark.parametrize(
    "part",
    [
        *("a", "A", "1", "1 ", "1,", "-1 ", "a_", '"', "'a", "`", ". ", "A. ", "not ", "May 1 "),
        *(
            "a@",
            "two hundred ",
            "Aa ",
            "aA ",
            "to ",
            "in one ",
            "un",
            "--a ",
            "what ",
            "2019-05-01 ",
        ),
    ],
)
def test_long_texts_are_no_trap(part: str) -> None:
    # Quadratic time would show as a test that does not end: 40 000 characters, every guard.
    text = part * (40_000 // len(part))
    one, two = read(f"Alpha Beta gamma {text} xyz"), read(f"Delta {text} Epsilon 7 zeta eta")

    assert len(flags(one, two)) == len(GUARDS)
    assert flags(one, one) == (False,) * len(GUARDS)
