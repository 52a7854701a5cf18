from __future__ import annotations

from cachemw_policies.guards.table import GUARDS

from loadtests.guards.timing import timed, timing
from loadtests.questions import Pair


def test_every_guard_has_a_row() -> None:
    section = timing([Pair("Is 5 much?", "Is 6 much?", same=False)] * 3)

    assert [row[0] for row in section.rows][1 : 1 + len(GUARDS)] == list(GUARDS)
    assert all(float(row[1]) >= 0 for row in section.rows)
    assert "10 characters" in section.about


def test_the_work_is_done_in_every_round() -> None:
    done: list[int] = []

    assert timed(lambda: done.append(1)) >= 0
    assert len(done) > 1
