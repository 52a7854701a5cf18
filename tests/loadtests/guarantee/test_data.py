"""Scores of held-out pairs, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cachemw.verify.base import QuestionPair, Scores, Verifier
from loadtests.guarantee.data import judged, stored, stretched, verified
from loadtests.questions import Pair

PAIRS = [
    Pair("How old is the sun?", "What is the age of the sun?", same=True),
    Pair("How old is the sun?", "How old is the moon, in years?", same=False),
    Pair("Is tea healthy?", "Is coffee healthy?", same=False),
]


class Lengths(Verifier):
    """Scores by the length of the asked question."""

    fingerprint = "lengths"

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        return np.array([len(pair.asked) / 100 for pair in pairs], dtype=np.float32)

    def close(self) -> None:
        pass


def test_pairs_of_one_cluster_are_of_one_entry() -> None:
    found = judged(PAIRS, np.array([0.9, 0.2, 0.1]), np.array([0.9, 0.8, 0.7]))
    assert found.entries[0] == found.entries[1] != found.entries[2]
    assert found.same.tolist() == [True, False, False]
    assert found.words.tolist() == [7, 7, 3]


def test_rows_can_be_taken_more_than_once() -> None:
    found = judged(PAIRS, np.array([0.9, 0.2, 0.1]), np.array([0.9, 0.8, 0.7]))
    assert found.take(np.array([2, 0, 0])).scores.tolist() == [0.1, 0.9, 0.9]
    assert len(found.take(np.array([2, 0]))) == 2


def test_scores_are_kept_by_position(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "scores.npz"
    assert stored(path, [0]) is None
    scores = verified(PAIRS, [2, 0], np.array([0.7, 0.9]), Lengths(), path)
    np.testing.assert_allclose(scores, [0.18, 0.27], rtol=1e-6)
    kept = stored(path, [0, 2])
    assert kept is not None
    np.testing.assert_allclose(kept, [0.27, 0.18], rtol=1e-6)
    assert stored(path, [0, 1]) is None


def test_stretched_cosines_are_in_range_and_in_order() -> None:
    np.testing.assert_allclose(stretched(np.array([0.1, 0.6, 0.8, 1.0])), [0, 0, 0.5, 1])
