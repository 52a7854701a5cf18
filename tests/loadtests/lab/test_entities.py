import random
import re
from typing import get_args

import pytest

from loadtests.lab.entities import (
    WORDS,
    SubjectKind,
    ValueKind,
    person,
    split_of,
    subject,
    surname,
    value,
)
from loadtests.lab.tasks.base import Split

SPLITS: tuple[Split, ...] = ("train", "held_out")


@pytest.mark.parametrize("split", SPLITS)
def test_names_are_of_their_split(split: Split) -> None:
    rng = random.Random(1)
    assert {split_of(surname(split, rng)) for _ in range(200)} == {split}
    assert {split_of(person(split, rng).split()[-1]) for _ in range(200)} == {split}
    assert {split_of(value("word", split, rng)) for _ in range(200)} == {split}


def test_the_split_is_the_same_in_every_process() -> None:
    assert [split_of(word) for word in ("acorn", "amber", "anchor")] == ["train"] * 3
    held_out = sum(split_of(word) == "held_out" for word in WORDS)
    assert 0.1 < held_out / len(WORDS) < 0.25


@pytest.mark.parametrize("kind", get_args(SubjectKind))
def test_subjects_are_many(kind: SubjectKind) -> None:
    rng = random.Random(1)
    assert len({subject(kind, "held_out", rng) for _ in range(200)}) > 180


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("digits", r"\d( \d){2,5}"),
        ("number", r"[1-9]\d{1,4}"),
        ("mark", r"[A-Z]{2}-\d{3,4}"),
        ("word", r"[a-z]+"),
        ("name", r"[A-Z][a-z]+\.? [A-Z][a-z]+"),
    ],
)
def test_values_have_the_form_of_their_kind(kind: ValueKind, form: str) -> None:
    rng = random.Random(1)
    drawn = {value(kind, "train", rng) for _ in range(100)}
    assert all(re.fullmatch(form, one) for one in drawn)
    assert len(drawn) > 50
