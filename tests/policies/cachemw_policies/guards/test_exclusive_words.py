"""The sets as they are written."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.exclusive_words import SETS
from cachemw_policies.guards.reading import read


@pytest.mark.parametrize("name", SETS)
def test_every_member_is_one_word_of_a_question_and_stands_once(name: str) -> None:
    words = SETS[name].replace(",", " ").split()

    assert len(words) == len(set(words))
    assert [read(word).words for word in words] == [(word,) for word in words]


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_two_members_that_exclude_one_another(name: str) -> None:
    assert SETS[name].count(",") >= 1
