"""What is replayed: whose questions are asked, and what the service would make of the pairs."""

from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.labels import Source

from loadtests.overload.live_plan import (
    CATEGORY,
    Material,
    Plan,
    faster,
    labels,
    planned,
    seen_by_service,
)
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import NOTHING_NEAR, Mix, Recorded
from loadtests.overload.upstream import Capacity
from loadtests.questions import Pair

COUNT = 400
SMALL = Capacity(slots=4)


def part(first: int) -> Scored:
    positions = np.arange(first, first + COUNT)
    return Scored(positions, np.linspace(0, 1, COUNT), positions % 2 == 0)


def material(*, same_question: bool = False) -> Material:
    words = ["the one question" if same_question else f"question w{n}" for n in range(3 * COUNT)]
    pairs = [Pair(f"{text}?", f"{text}, please?", n % 2 == 0) for n, text in enumerate(words)]
    cosines = np.full(3 * COUNT, 0.9)
    return Material(pairs, part(0), part(COUNT), cosines, range(2 * COUNT, 3 * COUNT))


def plan(load: float = 1.0, seconds: float = 100.0, found: Material | None = None) -> Plan:
    trace = [Recorded(float(n) + (n % 7) / 10, 100, 100 + n % 50) for n in range(5000)]
    return planned(trace, found or material(), SMALL, load, seconds, Mix(), 1)


def test_an_upstream_that_is_faster_is_so_in_all() -> None:
    before, after = Capacity(), faster(Capacity(), 3.0)
    assert after.answer_s(1000, 200) == pytest.approx(before.answer_s(1000, 200) / 3)
    assert after.reading_s(1000) == pytest.approx(before.reading_s(1000) / 3)
    assert (after.slots, after.waiting) == (before.slots, before.waiting)


def test_no_question_is_asked_twice_and_near_ones_are_their_pairs_second() -> None:
    found, all_of_them = plan(), material()
    assert len(set(found.texts)) == len(found.texts) == len(found.arrivals)
    near = [
        (one, text)
        for one, text in zip(found.arrivals, found.texts, strict=True)
        if one.pair != NOTHING_NEAR
    ]
    assert len(near) == len(found.asked) == len(found.stored)
    assert 0.35 < len(near) / len(found.arrivals) < 0.65
    for one, text in near:
        pair = all_of_them.pairs[found.asked.positions[one.pair]]
        assert (found.stored[one.pair], text) == (pair.a, pair.b)
    others = {
        text
        for one, text in zip(found.arrivals, found.texts, strict=True)
        if one.pair == NOTHING_NEAR
    }
    assert others <= {all_of_them.pairs[n].b for n in all_of_them.trained_on}


@pytest.mark.parametrize("load", [0.8, 1.3])
def test_it_lasts_as_long_as_wanted_at_the_load_that_is_wanted(load: float) -> None:
    found = plan(load)
    assert found.seconds == pytest.approx(100.0, rel=0.1)
    work = sum(SMALL.answer_s(one.prompt_tokens, one.answer_tokens) for one in found.arrivals)
    assert work / SMALL.slots / found.seconds == pytest.approx(load, rel=0.05)


def test_pairs_that_share_a_question_are_not_enough() -> None:
    with pytest.raises(ValueError, match="not 1"):
        plan(found=material(same_question=True))


def test_what_guards_object_to_or_is_far_has_no_score() -> None:
    pairs = [
        Pair("How do I cook 2 eggs?", "How do I cook 3 eggs?", same=False),
        Pair("How do I cook eggs?", "How can I cook eggs?", same=True),
        Pair("How do I cook eggs?", "How should I cook eggs?", same=True),
    ]
    scored = Scored(np.arange(3), np.array([0.9, 0.8, 0.7]), np.array([False, True, True]))
    found = Material(pairs, scored, scored, np.array([0.9, 0.9, 0.6]), [])
    assert seen_by_service(found, scored, 0.75).scores.tolist() == [-1.0, 0.8, -1.0]
    (label,) = labels(found, 0.75, "scale", 7.0, seed=1)
    assert (label.score, label.right, label.category) == (0.8, True, CATEGORY)
    assert (label.scale, label.at, label.source) == ("scale", 7.0, Source.OFFLINE)


def test_labels_come_in_an_order_that_says_nothing() -> None:
    found = labels(material(), 0.75, "scale", 0.0, seed=1)
    scores = [label.score for label in found]
    assert sorted(scores) == pytest.approx(np.linspace(0, 1, COUNT).tolist())
    assert abs(np.corrcoef(scores, range(COUNT))[0, 1]) < 0.2
