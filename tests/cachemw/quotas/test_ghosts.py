from __future__ import annotations

import pytest

from cachemw.quotas.ghosts import Ghosts


def test_what_went_is_recalled() -> None:
    ghosts = Ghosts(64)
    ghosts.remember(-7, 2.5, 11.0)
    assert ghosts.recall(-7) == (2.5, 11.0)


def test_what_was_never_there_is_nothing() -> None:
    ghosts = Ghosts(64)
    ghosts.remember(5, 2.5, 11.0)
    assert ghosts.recall(6) == (0.0, 0.0)
    assert ghosts.recall(5 + 64) == (0.0, 0.0)  # the same slot


def test_a_newer_ghost_takes_the_place_of_an_older_one() -> None:
    ghosts = Ghosts(64)
    ghosts.remember(5, 2.5, 11.0)
    ghosts.remember(5 + 64, 1.0, 12.0)
    assert ghosts.recall(5) == (0.0, 0.0)
    assert ghosts.recall(5 + 64) == (1.0, 12.0)


@pytest.mark.parametrize("slots", [0, 1, 3])
def test_a_table_is_never_too_small(slots: int) -> None:
    ghosts = Ghosts(slots)
    ghosts.remember(3, 1.0, 0.0)
    assert ghosts.recall(3) == (1.0, 0.0)
