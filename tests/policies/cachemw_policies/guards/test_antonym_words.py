"""The table as it is written."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.antonym_words import PAIRS
from cachemw_policies.guards.reading import read


@pytest.mark.parametrize("pair", PAIRS.split(";"))
def test_two_sides_of_single_words_that_share_none(pair: str) -> None:
    left, right = ([word.strip() for word in side.split(",")] for side in pair.split("|"))

    assert not set(left) & set(right)
    assert all(read(word).words == (word,) for word in left + right)
