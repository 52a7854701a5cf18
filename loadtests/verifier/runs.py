"""What the runs of training left behind: rows, and scores of pairs that a run had not seen.

A run's file has `positions` into the rows, and `scores` in [0, 1].
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

RUNS = Path.home() / ".cache" / "cachemw-loadtests" / "training"
"""Where the report looks for them."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """The real pairs among the rows that were learned from; `positions` are theirs among all.

    `part` is train, calibration or test; all have one element a pair.
    """

    positions: NDArray[np.int64]
    pairs: list[tuple[str, str]]
    same: NDArray[np.bool_]
    part: NDArray[np.str_]

    def of(self, chosen: NDArray[np.bool_]) -> Rows:
        """Return some of them."""
        pairs = [pair for pair, kept in zip(self.pairs, chosen.tolist(), strict=True) if kept]
        return Rows(self.positions[chosen], pairs, self.same[chosen], self.part[chosen])


def read_rows(folder: Path = RUNS) -> Rows:
    """Read the real pairs."""
    with gzip.open(folder / "rows.jsonl.gz") as lines:
        numbered = enumerate(map(orjson.loads, lines))
        real = [(place, row) for place, row in numbered if row["kind"] == "real"]
    return Rows(
        np.array([place for place, _ in real]),
        [(row["a"], row["b"]) for _, row in real],
        np.array([bool(row["same"]) for _, row in real]),
        np.array([row["part"] for _, row in real]),
    )


def scores_of(names: Sequence[str], rows: Rows, folder: Path = RUNS) -> Scores:
    """Return the scores of `rows`, those of a pair that several runs have averaged.

    Raises ValueError where no run has one of the rows.
    """
    size = int(rows.positions.max()) + 1
    total, count = np.zeros(size), np.zeros(size)
    for name in names:
        with np.load(folder / f"{name}.npz") as run:
            within = run["positions"] < size
            np.add.at(total, run["positions"][within], run["scores"][within])
            np.add.at(count, run["positions"][within], 1)
    if not count[rows.positions].all():
        raise ValueError(f"{', '.join(names)}: pairs without a score")
    found: Scores = total[rows.positions] / count[rows.positions]
    return found


def logit(probability: Scores) -> Scores:
    """Return log odds, of probabilities that are kept from 0 and 1."""
    kept = np.clip(probability, 1e-6, 1 - 1e-6)
    odds: Scores = np.log(kept) - np.log1p(-kept)
    return odds
