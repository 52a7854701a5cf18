from string import Formatter
from typing import get_args

import pytest

from loadtests.lab.entities import ValueKind
from loadtests.lab.phrasings import WORDINGS
from loadtests.lab.tasks.base import Split

SPLITS: tuple[Split, ...] = ("train", "held_out")


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("split", SPLITS)
def test_frames_name_what_they_need(split: Split) -> None:
    wordings = WORDINGS[split]
    assert all(fields(statement) == {"a", "s", "v"} for statement in wordings.statements)
    assert all(fields(question) == {"a", "s"} for question in wordings.questions)
    for _, _, statement, question in wordings.special:
        assert (fields(statement), fields(question)) == ({"s", "v"}, {"s"})
    assert set(wordings.attributes) == set(get_args(ValueKind))


def test_no_wording_is_both_trained_on_and_held_out() -> None:
    train, held_out = WORDINGS["train"], WORDINGS["held_out"]
    assert not set(train.statements) & set(held_out.statements)
    assert not set(train.questions) & set(held_out.questions)
    specials = [{frame[2:] for frame in wordings.special} for wordings in (train, held_out)]
    assert not specials[0] & specials[1]


def test_no_attribute_goes_with_two_kinds_or_splits() -> None:
    named = [a for w in WORDINGS.values() for kind in w.attributes.values() for a in kind]
    assert len(named) == len(set(named))
