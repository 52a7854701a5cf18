"""Parts share no question."""

from __future__ import annotations

from random import Random

from loadtests.questions import Pair
from loadtests.verifier.split import parts


def made(count: int) -> list[Pair]:
    rng = Random(4)
    names = [f"question {number}" for number in range(count)]
    return [Pair(rng.choice(names), rng.choice(names), same=True) for _ in range(count // 3)]


def test_no_question_is_in_two_parts() -> None:
    pairs = made(3000)
    found = parts(pairs)
    asked = [
        {text for place in part for text in (pairs[place].a, pairs[place].b)}
        for part in (found.train, found.calibration, found.test)
    ]
    assert not asked[0] & asked[1]
    assert not asked[0] & asked[2]
    assert not asked[1] & asked[2]
    together = sorted([*found.train, *found.calibration, *found.test])
    assert together == list(range(len(pairs)))
    assert 0.65 < len(found.train) / len(pairs) < 0.85


def test_the_order_of_the_pairs_does_not_matter() -> None:
    pairs = made(600)
    forward, backward = parts(pairs), parts(pairs[::-1])
    assert {pairs[p] for p in forward.test} == {pairs[::-1][p] for p in backward.test}
