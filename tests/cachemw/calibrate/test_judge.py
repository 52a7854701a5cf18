from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cachemw.calibrate.judge import Decider, judge
from cachemw.calibrate.pairs import Pair
from tests.cachemw.calibrate.conftest import AngleEmbedder, LastWordVerifier

PAIRS = [
    Pair("a 0", "b 10 0.9", same=True),
    Pair("a 0", "not 10 0.8", same=False),
    Pair("a 0", "c 80 0.7", same=False),
    Pair("long 0", "d 0 0.6", same=True),
    Pair("e 5", "f 30 0.5", same=True),
]


def _silent(step: str, done: int, total: int) -> None:
    pass


def test_every_step_of_the_decision(decider: Decider, verifier: LastWordVerifier) -> None:
    judged = judge(decider, PAIRS, _silent)
    angles = [10, 10, 80, None, 25]
    expected = [np.nan if a is None else math.cos(math.radians(a)) for a in angles]
    np.testing.assert_allclose(judged.cosines, expected, atol=1e-6)
    np.testing.assert_allclose(judged.scores, [0.9, np.nan, np.nan, np.nan, 0.5], atol=1e-6)
    assert (judged.cut, judged.below_floor, judged.objected) == (1, 1, {"negation": 1})
    assert judged.unscored == 0
    # The verifier sees the stored question first, and only what got so far.
    seen = {(pair.stored, pair.asked): pair.similarity for pair in verifier.seen}
    assert seen == {
        ("a 0", "b 10 0.9"): judged.cosines[0],
        ("e 5", "f 30 0.5"): judged.cosines[4],
    }


def test_a_language_that_the_verifier_does_not_know(
    decider: Decider, verifier: LastWordVerifier
) -> None:
    english = replace(decider, reads=lambda asked: not asked.startswith("f"))
    judged = judge(english, PAIRS, _silent)
    assert [pair.asked for pair in verifier.seen] == ["b 10 0.9"]
    assert np.isnan(judged.scores[4])
    assert judged.unscored == 1
    # Cosine knows no languages.
    alone = judge(replace(english, verifier=None), PAIRS, _silent)
    assert not np.isnan(alone.scores[4])


def test_without_a_verifier_the_cosine_is_the_score(decider: Decider) -> None:
    alone = replace(decider, verifier=None)
    judged = judge(alone, PAIRS, _silent)
    np.testing.assert_array_equal(judged.scores[[0, 4]], judged.cosines[[0, 4]])
    assert np.isnan(judged.scores[1:4]).all()
    assert alone.scale == f"cosine {AngleEmbedder.fingerprint}"
    assert decider.scale == LastWordVerifier.fingerprint


def test_no_score_from_the_verifier(decider: Decider) -> None:
    judged = judge(decider, [Pair("a 0", "b 0 nan", same=True)], _silent)
    assert np.isnan(judged.scores).all()
    assert judged.unscored == 1


def test_each_question_is_embedded_once_and_in_batches(decider: Decider) -> None:
    told = []
    pairs = [Pair("a 0", f"b {n} 0.5", same=True) for n in range(50)]
    judge(decider, pairs, lambda *step: told.append(step))
    embedder = decider.embedder
    assert isinstance(embedder, AngleEmbedder)
    assert sum(embedder.batches) == 51
    assert max(embedder.batches) <= 32
    assert ("embedding", 51, 51) in told
    assert told[-1] == ("verifying", 50, 50)


def test_scores_stay_with_their_pairs(decider: Decider) -> None:
    # Of every length, so that batches are in another order than the pairs.
    pairs = [Pair("a 0" + " x" * (7 * n % 100), f"b 1 {n / 100}", same=True) for n in range(100)]
    judged = judge(decider, pairs, _silent)
    np.testing.assert_allclose(judged.scores, np.arange(100) / 100, atol=1e-6)


def test_only_closing_releases_the_models(decider: Decider, verifier: LastWordVerifier) -> None:
    judge(decider, PAIRS, _silent)
    assert not verifier.closed
    decider.close()
    assert verifier.closed
    assert isinstance(decider.embedder, AngleEmbedder)
    assert decider.embedder.closed


def test_pairs_far_apart_only(decider: Decider) -> None:
    judged = judge(decider, [Pair("a 0", "b 90 1", same=False)], _silent)
    assert judged.cosines == pytest.approx([0.0], abs=1e-6)
    assert np.isnan(judged.scores).all()
