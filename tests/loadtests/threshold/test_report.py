from __future__ import annotations

import numpy as np

from loadtests.questions import Pair
from loadtests.threshold.__main__ import report

COUNT = 400


def test_the_threshold_is_confirmed_on_the_other_half() -> None:
    pairs = [Pair(f"a{n}", f"b{n}", same=n % 2 == 0) for n in range(COUNT)]
    # All others lie below 0.9, all duplicates above.
    cosines = np.array([0.95 if pair.same else 0.899 for pair in pairs], dtype=np.float32)
    text = report(pairs, cosines, "Conditions.")
    row = next(line for line in text.splitlines() if line.startswith("| 3% |"))
    assert row.startswith("| 3% | 0.90 | 0.0% (0.0%–")
    assert "100.0%" in row


def test_that_there_is_no_such_threshold_is_said() -> None:
    pairs = [Pair(f"a{n}", f"b{n}", same=n % 2 == 0) for n in range(COUNT)]
    text = report(pairs, np.full(COUNT, 0.995, dtype=np.float32), "Conditions.")
    assert "| 3% | none up to 0.99 |" in text
