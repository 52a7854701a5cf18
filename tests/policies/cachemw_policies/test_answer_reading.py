"""What is read off an answer's text."""

from __future__ import annotations

import pytest
from cachemw_policies.answer_reading import numbers, read
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs $1,200.00 in 3 parts.", {"1200", "3"}),
        ("0.50 and 007", {"0.5", "7"}),
        ("-4 below, 16-7 left", {"-4", "16", "7"}),
        ("v2 and 3rd are no numbers", set()),
    ],
)
def test_numbers_are_written_one_way(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Half of 16 is 8.\n#### 8", "8"),
        (r"So we get \boxed{12} apples.", "12"),
        ("First 3 + 4 = 7.\n\nAdding up, she has 7 + 2 = $9.00 in 5 days.", "9"),
        ("2 * 9 = <<2*9=18>>18.\nShe makes $18 every day.", "18"),
        ("The answer is B.", "b"),
        ("3 + 2 = 5, so there are five.", "5"),
        ("42", "42"),
        ("7.50", "7.5"),
    ],
)
def test_what_an_answer_comes_to(text: str, value: str) -> None:
    conclusion = read(text).conclusion
    assert conclusion is not None
    assert conclusion.value == value


def test_several_numbers_at_the_end_are_candidates() -> None:
    conclusion = read("16 * 4 = 64.\nHe pays $64 for 16 glasses.").conclusion
    assert conclusion is not None
    assert conclusion.value is None
    assert conclusion.candidates == {"64", "16"}


@pytest.mark.parametrize(
    ("text", "yes"),
    [("Yes, it is.", True), ("**No**. It is not.", False), ("Nobody knows.", None), ("", None)],
)
def test_stance(text: str, yes: bool | None) -> None:
    assert read(text).yes is yes


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("As an AI, I do not have access to prices.", True),
        ("I cannot provide legal advice.", True),
        ("Sorry seems to be the hardest word.", False),
        ("You cannot divide by zero.", False),
    ],
)
def test_refusals(text: str, refuses: bool) -> None:
    assert read(text).refuses is refuses


def test_code_is_no_prose() -> None:
    one = read("Use:\n```sh\nls 7\n```\nDone in 1 step.")
    assert one.code
    assert one.numbers == {"1"}
    assert one.conclusion is None
    assert not read("Use ls -l.").code


@pytest.mark.parametrize(
    "text",
    [
        "The bridge was opened in 1932 and is about 500 metres long.",
        "#### 1. Causes\n\nThere were many.\n\n#### 2. Effects\n\nEven more followed in 1848.",
        "The answer is that in 1932 nobody had yet thought of a bridge there, as far as we know.",
        "Set retries = 5 in the file. Then restart it 3 times.",
    ],
)
def test_numbers_of_prose_are_details(text: str) -> None:
    assert read(text).conclusion is None


@pytest.mark.parametrize(
    "piece", ["#", "####x", "= ", "<<", "answer ", "1+", "1 = ", "``` ", "\n", "1,", "****", "a."]
)
def test_no_text_takes_long(piece: str) -> None:
    # A pattern that backtracks would need minutes for these; the test's time limit is the bound.
    text = piece * (20_000 // len(piece))
    for each in (text, text + "\nx", "Answer: " + text, "1+1=" + text):
        read(each)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    reading = read(text)
    assert all(word == word.lower() for word in reading.words)
    assert all(float(number) == float(number) for number in reading.numbers)


@given(st.integers(-(10**9), 10**9), st.integers(0, 4))
def test_a_number_is_itself_in_every_spelling(value: int, zeros: int) -> None:
    spelled = f"{value:,}" + ("." + "0" * zeros if zeros else "")
    assert numbers(f"is {spelled} now") == {str(value)}
