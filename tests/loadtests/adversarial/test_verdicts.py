from __future__ import annotations

import math

import pytest

from cachemw.calibrate.judge import Decider
from loadtests.adversarial.pairs import AdversarialPair, read_pairs
from loadtests.adversarial.verdicts import (
    Verdict,
    cosine_at,
    decision,
    guards_alone,
    partition,
    refusal,
    verdicts,
    verifier_alone,
)
from tests.cachemw.calibrate.conftest import AngleEmbedder, LastWordVerifier, guard

FLOOR = 0.6


def _pair(a: str, b: str, *histories: tuple[str, ...]) -> AdversarialPair:
    return AdversarialPair(a, b, True, "x", *histories)


def _verdict(**fields: object) -> Verdict:
    values: dict[str, object] = {
        "pair": _pair("a", "b"),
        "together": True,
        "cosine": 0.96,
        "guard": None,
        "score": 0.98,
    }
    return Verdict(**(values | fields))  # type: ignore[arg-type]


WAYS = (
    cosine_at(0.95),
    cosine_at(0.99),
    guards_alone(FLOOR),
    verifier_alone(0.97),
    decision(0.97),
)


@pytest.mark.parametrize(
    ("fields", "served"),
    [
        ({}, (True, False, True, True, True)),
        ({"cosine": 0.992}, (True, True, True, True, True)),
        ({"cosine": 0.7}, (False, False, True, True, True)),
        ({"cosine": 0.5, "score": math.nan}, (False, False, False, False, False)),
        ({"guard": "number"}, (True, False, False, True, False)),
        ({"score": 0.96}, (True, False, True, False, False)),
        # A cache that sees the last question alone does not notice another conversation.
        ({"together": False}, (True, False, False, False, False)),
    ],
)
def test_who_serves_what(fields: dict[str, object], served: tuple[bool, ...]) -> None:
    verdict = _verdict(**fields)
    assert tuple(way.serves(verdict) for way in WAYS) == served


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"together": False, "cosine": 0.1}, "another conversation"),
        ({"cosine": 0.5, "guard": "number"}, "cosine below 0.6"),
        ({"cosine": math.nan}, "cosine below 0.6"),
        ({"guard": "number"}, "guard: number"),
        ({"score": 0.1}, "score below the threshold"),
    ],
)
def test_the_first_step_that_refuses(fields: dict[str, object], step: str) -> None:
    assert refusal(_verdict(**fields), FLOOR) == step


def test_everything_is_asked_about_every_pair() -> None:
    verifier = LastWordVerifier()
    decider = Decider(AngleEmbedder(), guard, verifier, FLOOR)
    pairs = [_pair("a 0", "b 10 0.9"), _pair("a 0", "not 90 0.9"), _pair("a 0", "not 10 0.9")]
    near, far, objected = verdicts(decider, pairs)
    assert (near.guard, far.guard, objected.guard) == (None, "negation", "negation")
    assert near.score == pytest.approx(0.9)
    assert math.isnan(far.score)
    assert objected.score == pytest.approx(0.9)
    assert far.cosine == pytest.approx(0.0, abs=1e-6)
    assert {pair.asked for pair in verifier.seen} == {"b 10 0.9", "not 10 0.9"}


def test_conversations_are_told_apart_by_the_key() -> None:
    for pair in read_pairs():
        together = partition(pair.history_a, pair.a) == partition(pair.history_b, pair.b)
        assert together == (pair.history_a == pair.history_b)


def test_the_question_itself_is_not_in_the_key() -> None:
    assert partition(("hello", "hi"), "how?") == partition(("hello", "hi"), "why?")
