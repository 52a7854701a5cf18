"""Scores of held-out pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests.overload.scores import VERIFIER, held_out, stretched
from loadtests.questions import Pair
from loadtests.verifier.split import parts

PAIRS = [Pair(f"question {n}", f"asked {n}", n % 3 == 0) for n in range(400)]


def test_the_verifiers_file_is_used_where_it_has_all(tmp_path: Path) -> None:
    split = parts(PAIRS)
    positions = np.array([*split.calibration, *split.test])
    np.savez(tmp_path / "verifier-scores.npz", position=positions, score=positions / 1000)
    held = held_out(PAIRS, tmp_path, tmp_path)
    assert held.scale == VERIFIER
    assert held.test.positions.tolist() == split.test
    assert held.calibration.scores == pytest.approx(np.array(split.calibration) / 1000)
    assert held.test.same.tolist() == [position % 3 == 0 for position in split.test]
    assert not set(held.test.positions.tolist()) & set(held.calibration.positions.tolist())


def test_cosines_are_stretched_and_cut() -> None:
    assert stretched(np.array([-1.0, 0.6, 0.8, 1.0, 1.1])) == pytest.approx([0, 0, 0.5, 1, 1])
