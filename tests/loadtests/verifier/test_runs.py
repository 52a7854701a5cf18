"""What the runs of training left behind."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import orjson
import pytest

from loadtests.verifier.runs import logit, read_rows, scores_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"a": "a", "b": "b", "same": 1, "kind": "real", "part": "train"},
        {"a": "c", "b": "d", "same": 0, "kind": "number", "part": "train"},
        {"a": "e", "b": "f", "same": 0, "kind": "real", "part": "test"},
    ]
    with gzip.open(tmp_path / "rows.jsonl.gz", "wb") as out:
        out.writelines(orjson.dumps(row) + b"\n" for row in rows)
    np.savez(tmp_path / "x.npz", positions=np.array([0, 1]), scores=np.array([0.2, 0.9]))
    np.savez(tmp_path / "y.npz", positions=np.array([2, 0]), scores=np.array([0.5, 0.4]))
    return tmp_path


def test_real_pairs_keep_their_positions(folder: Path) -> None:
    rows = read_rows(folder)
    assert rows.positions.tolist() == [0, 2]
    assert rows.pairs == [("a", "b"), ("e", "f")]
    test = rows.of(rows.part == "test")
    assert (test.positions.tolist(), test.pairs, test.same.tolist()) == ([2], [("e", "f")], [False])


def test_scores_of_several_runs_are_averaged(folder: Path) -> None:
    rows = read_rows(folder)
    assert scores_of(["x", "y"], rows, folder) == pytest.approx([0.3, 0.5])


def test_a_pair_without_a_score_is_said(folder: Path) -> None:
    with pytest.raises(ValueError, match="x: pairs without"):
        scores_of(["x"], read_rows(folder), folder)


def test_log_odds_are_finite() -> None:
    found = logit(np.array([0.0, 0.5, 0.9, 1.0]))
    assert np.isfinite(found).all()
    assert found[1:3] == pytest.approx([0.0, np.log(9)])
