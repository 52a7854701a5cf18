from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from random import Random

import pytest
from cachemw_policies.guards.script import english_enough
from cachemw_policies.guards.table import objection, read

from loadtests.http.wording import ASIDES, PARTS, TASKS, aside, question, questions

REAL = (
    "What are the 25 best books that were not written in the UK before 1990?",
    "How do I call `getUser` in Python 3.11 without a token?",
    "Is Berlin larger than Paris",
)


def _worded(number: int) -> str:
    """Return a question as it is asked, with an aside or without."""
    return question(number) if number % 2 else f"{question(number)} {aside(number)}"


def test_no_two_are_the_same() -> None:
    assert TASKS >= 50_000
    assert len(set(questions())) == TASKS
    assert len(set(map(aside, range(ASIDES)))) == ASIDES


def test_all_parts_change_from_one_question_to_the_next() -> None:
    first, second = (question(number).split() for number in (0, 1))
    assert len(set(first) ^ set(second)) >= 2 * len(PARTS)


@pytest.mark.parametrize("make", [question, _worded])
def test_no_guard_objects_to_any_of_them(make: Callable[[int], str]) -> None:
    rng = Random(1)
    pairs = [(rng.randrange(TASKS), rng.randrange(TASKS)) for _ in range(3000)]
    for one, other in pairs:
        assert objection(read(make(one)), read(make(other))) is None, (make(one), make(other))


def test_no_two_words_of_a_part_exclude_one_another() -> None:
    for part in PARTS:
        for one, other in combinations(part, 2):
            a, b = (read(f"How do I {text} it, please?") for text in (one, other))
            assert objection(a, b) is None, (one, other)


@pytest.mark.parametrize("text", REAL)
def test_an_aside_changes_no_question(text: str) -> None:
    for number in range(0, ASIDES, 7):
        assert objection(read(f"{text} {aside(number)}, please."), read(text)) is None


def test_the_verifier_reads_them() -> None:
    assert all(english_enough(question(number)) for number in range(0, TASKS, 97))
