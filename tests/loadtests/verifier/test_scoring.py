"""Scores that are kept as long as the verifier is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cachemw.verify.base import QuestionPair, Scores, Verifier
from loadtests.verifier.scoring import kept, median_ms, scored

PAIRS = [QuestionPair("x" * (place * 7 % 100), "y", place / 200) for place in range(200)]


class Told(Verifier):
    """Gives the similarity as the score, and counts."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.calls = 0

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        self.calls += 1
        return np.array([pair.similarity for pair in pairs], np.float32)

    def close(self) -> None:
        pass


def test_scores_are_in_the_order_of_the_pairs() -> None:
    verifier = Told("a")
    found = scored(verifier, PAIRS)
    assert found.tolist() == [np.float32(pair.similarity) for pair in PAIRS]
    assert 1 < verifier.calls < len(PAIRS)


def test_another_verifier_or_number_of_pairs_is_scored_anew(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.npz"
    asked = []
    for fingerprint, count in (("a", 9), ("a", 9), ("b", 9), ("b", 8)):
        verifier = Told(fingerprint)
        more = {"position": np.arange(count)}
        assert kept(path, verifier, PAIRS[:count], more).shape == (count,)
        asked.append(verifier.calls)
    assert asked == [1, 0, 1, 1]
    with np.load(path) as file:
        assert sorted(file.files) == ["fingerprint", "position", "score"]


def test_a_file_without_fingerprint_is_not_trusted(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", score=np.zeros(3))
    verifier = Told("a")
    assert kept(tmp_path / "s.npz", verifier, PAIRS[1:4], {}).all()
    assert verifier.calls == 1


def test_time_is_taken_of_so_many_at_once() -> None:
    sizes = set()
    assert min(median_ms(lambda pairs: sizes.add(len(pairs)), PAIRS, 3, 20)) >= 0
    assert sizes == {3}
