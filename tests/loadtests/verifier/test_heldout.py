"""What is compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cachemw.verify.base import QuestionPair
from cachemw.verify.cross_encoder import CrossEncoder
from loadtests.questions import Pair
from loadtests.verifier.heldout import NEVER, Bare, guarded, held_out, of_runs
from loadtests.verifier.runs import Rows
from loadtests.verifier.split import parts

PAIRS = [Pair(f"question {n // 2}", f"other {n}", n % 2 == 0) for n in range(400)]


def test_pairs_that_were_learned_from_are_not_there() -> None:
    found = held_out(PAIRS, np.arange(400) / 400)
    split = parts(PAIRS)
    assert found.position.tolist() == [*split.calibration, *split.test]
    assert (found.part == "test").sum() == len(split.test)
    for pair, position, same in zip(found.pairs, found.position, found.same, strict=True):
        assert pair == QuestionPair(PAIRS[position].a, PAIRS[position].b, position / 400)
        assert same == PAIRS[position].same


def test_pairs_with_a_question_in_common_are_one_cluster() -> None:
    found = held_out(PAIRS, np.zeros(400))
    by_question: dict[str, set[int]] = {}
    for pair, cluster in zip(found.pairs, found.cluster.tolist(), strict=True):
        by_question.setdefault(pair.stored, set()).add(cluster)
    assert all(len(each) == 1 for each in by_question.values())
    assert len(by_question) == len(set(found.cluster.tolist()))
    assert set(found.cluster.tolist()) == set(range(len(by_question)))


def test_a_guards_objection_is_never_served() -> None:
    pairs = [
        QuestionPair("Who won in 1998?", "Who won in 2002?", 0.9),
        QuestionPair("Who won in 1998?", "Tell me who won in 1998", 0.9),
    ]
    assert guarded(pairs, np.array([0.8, 0.7])).tolist() == [NEVER, 0.7]


class Encoder(CrossEncoder):
    """Says the number of letters."""

    def __init__(self) -> None:
        self.closed = False

    def logits(self, pairs: object) -> np.ndarray:
        return np.array([len(stored) for stored, _ in pairs], np.float32)  # type: ignore[attr-defined]

    def close(self) -> None:
        self.closed = True


def test_the_encoder_alone_gives_its_probability() -> None:
    encoder = Encoder()
    bare = Bare(encoder, "f")
    assert bare.fingerprint != "f"
    found = bare.score([QuestionPair("", "x", 0), QuestionPair("ab", "x", 0)])
    assert found.tolist() == pytest.approx([0.5, 1 / (1 + np.exp(-2))])
    bare.close()
    assert encoder.closed


def test_runs_are_averaged_as_log_odds(tmp_path: Path) -> None:
    for name, score in (("x", 0.1), ("y", 0.9)):
        np.savez(tmp_path / f"{name}.npz", positions=np.array([0]), scores=np.array([score]))
    rows = Rows(np.array([0]), [("a", "b")], np.array([True]), np.array(["test"]))
    assert of_runs(["x", "y"], rows, tmp_path) == pytest.approx([0.0])
