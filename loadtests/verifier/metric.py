"""How much is served within a limit on wrong ones: numpy alone, so that the training has it too.

With a weight of 1 it says what `cachemw.calibrate.curve.served_at` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMITS = (0.05, 0.03, 0.01)

Scores = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Served:
    """The lowest threshold within a limit; `share` of the duplicates are served at it.

    `threshold` is None, and `share` 0, where every threshold that serves one is over the limit.
    """

    limit: float
    threshold: float | None
    share: float


def weight_of_others(same: Flags, base: float | None) -> float:
    """Return what a pair that is no duplicate counts, if this share of all were duplicates.

    `base` None: as the pairs are.
    """
    if base is None:
        return 1.0
    duplicates = int(np.count_nonzero(same))
    return duplicates / (len(same) - duplicates) * (1 - base) / base


def served(
    scores: Scores,
    same: Flags,
    other: float = 1.0,
    limits: Sequence[float] = LIMITS,
    copies: Counts | None = None,
) -> tuple[Served, ...]:
    """Return for each limit what the lowest threshold within it serves.

    `scores` and `same` have one element a pair. A pair that is no duplicate counts `other`;
    `copies` says how often a pair is there (once). A score at the threshold is served.
    """
    order = np.argsort(-scores, kind="stable")
    often = np.ones(len(same)) if copies is None else copies[order]
    right = np.cumsum(same[order] * often)
    wrong = other * np.cumsum(~same[order] * often)
    # Pairs of one score are served together.
    ends = np.append(np.diff(scores[order]) != 0, [True])
    found = []
    for limit in limits:
        within = np.flatnonzero(ends & (wrong <= limit * (right + wrong)) & (right > 0))
        if not len(within):
            found.append(Served(limit, None, 0.0))
            continue
        most = right[within[-1]]
        # Of thresholds that serve as many, the highest.
        last = within[np.searchsorted(right[within], most)]
        found.append(Served(limit, float(scores[order][last]), float(most / right[-1])))
    return tuple(found)


def wrong_share(scores: Scores, same: Flags, threshold: float, other: float = 1.0) -> float:
    """Return the share of wrong ones among those served at a threshold; 0 of none."""
    right = int(np.count_nonzero(same & (scores >= threshold)))
    wrong = other * int(np.count_nonzero(~same & (scores >= threshold)))
    return wrong / (right + wrong) if right + wrong else 0.0


def drawn(
    scores: Scores,
    same: Flags,
    clusters: Counts,
    rng: np.random.Generator,
    base: float | None = None,
    rounds: int = 200,
) -> NDArray[np.float64]:
    """Return bootstrap draws of `served` at `LIMITS`, by clusters, shape [rounds, limits].

    `clusters` numbers the cluster of each pair from 0: all pairs of one are drawn together, for
    they have questions in common. The threshold is chosen anew in each round. The same generator
    draws the same clusters: draws of two methods can be subtracted.
    """
    found = []
    for copies in _copies(clusters, rng, rounds):
        other = _other(copies, same, base)
        found.append([each.share for each in served(scores, same, other, copies=copies)])
    return np.array(found)


def drawn_wrong(
    served_pairs: Flags,
    same: Flags,
    clusters: Counts,
    rng: np.random.Generator,
    base: float | None = None,
    rounds: int = 200,
) -> NDArray[np.float64]:
    """Return bootstrap draws of the share of wrong ones among pairs served, by clusters."""
    found = []
    for copies in _copies(clusters, rng, rounds):
        right = copies[served_pairs & same].sum()
        wrong = _other(copies, same, base) * copies[served_pairs & ~same].sum()
        found.append(wrong / max(1e-9, right + wrong))
    return np.array(found)


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % percentile interval of draws (Efron 1979)."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def _copies(clusters: Counts, rng: np.random.Generator, rounds: int) -> Iterator[Counts]:
    """Yield how often each pair is there in a draw."""
    number = int(clusters.max()) + 1
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, number, number), minlength=number)[clusters]


def _other(copies: Counts, same: Flags, base: float | None) -> float:
    right, wrong = int(copies[same].sum()), int(copies[~same].sum())
    return 1.0 if base is None else right / max(1, wrong) * (1 - base) / base
