"""Cosines that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loadtests.verifier.cosines import Cosines, kept


def test_they_are_measured_once_and_anew_for_another_number(tmp_path: Path) -> None:
    asked: list[int] = []

    def measure() -> Cosines:
        asked.append(1)
        return np.full(count, 0.5, np.float32)

    for count in (3, 3, 4):
        assert kept(tmp_path / "new" / "c.npz", count, measure).tolist() == [0.5] * count
    assert len(asked) == 2
