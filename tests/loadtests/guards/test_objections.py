from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.guards.table import GUARDS

from loadtests.guards.objections import ALL, NONE, by_cluster, judged, raised
from loadtests.questions import Pair

PAIRS = [
    Pair("Is 5 much?", "Is 6 much?", same=False),
    Pair("Is 5 much?", "Is five much?", same=True),
    Pair("Who won in 2016?", "Who won in 2017?", same=True),
    Pair("Is tea hot?", "Is lemonade good?", same=False),
]
SAME = np.array([pair.same for pair in PAIRS])


def test_what_is_raised() -> None:
    found = raised(PAIRS)

    assert found.shape == (len(PAIRS), len(GUARDS))
    assert [[name for name, flag in zip(GUARDS, row, strict=True) if flag] for row in found] == [
        ["numbers"],
        [],
        ["dates"],
        [],
    ]


def test_cost_and_gain() -> None:
    rows = {row.name: row for row in judged(raised(PAIRS), SAME)}

    assert list(rows) == [NONE, *GUARDS, ALL]
    assert (rows[NONE].cost.part, rows[NONE].gain.part, rows[NONE].wrong.value) == (0, 0, 0.5)
    assert (rows["numbers"].cost.value, rows["numbers"].gain.value) == (0.0, 0.5)
    assert (rows["dates"].cost.value, rows["dates"].gain.value) == (0.5, 0.0)
    assert (rows[ALL].cost.value, rows[ALL].gain.value) == (0.5, 0.5)
    assert rows[ALL].wrong.value == 0.5


def test_what_only_one_sees() -> None:
    found = np.zeros((2, len(GUARDS)), dtype=np.bool_)
    found[0, 0] = found[1, 0] = found[1, 1] = True

    rows = {row.name: row for row in judged(found, np.array([False, False]))}

    first, second = list(GUARDS)[:2]
    assert (rows[first].alone.part, rows[second].alone.part) == (1, 0)


def test_no_pairs() -> None:
    rows = judged(raised([]), np.array([], dtype=np.bool_))

    assert rows[-1].cost.value == pytest.approx(0.0)


def test_a_question_asked_often_counts_once() -> None:
    pairs = [Pair("a", f"a{n}", same=True) for n in range(9)] + [Pair("b", "c", same=True)]

    found = by_cluster(pairs, np.array([True] * 9 + [False]))

    assert (found.value, found.part, found.largest) == (0.5, 9, 9)


def test_one_cluster_says_little() -> None:
    assert by_cluster([Pair("a", "b", same=True)], np.array([True])).reach == 1.0
    assert by_cluster([], np.array([], dtype=np.bool_)).value == 0.0
