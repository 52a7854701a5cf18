"""Which threshold serves most within a limit on wrong answers: pure functions of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cachemw_policies.bounds import interval
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Point:
    """The best threshold within a limit on the share of wrong answers.

    Of what it serves, `right` are duplicates and `wrong` are not; `duplicates` is how many there
    are. `threshold` is None where every threshold that serves a duplicate is over the limit.
    """

    limit: float
    threshold: float | None
    right: int
    wrong: int
    duplicates: int

    @property
    def served(self) -> int:
        """How many pairs are served."""
        return self.right + self.wrong

    @property
    def duplicates_served(self) -> float:
        """The share of duplicates that is served; 0 of none."""
        return self.right / self.duplicates if self.duplicates else 0.0

    @property
    def wrong_share(self) -> float:
        """The share of what is served that is wrong; 0 of nothing."""
        return self.wrong / self.served if self.served else 0.0

    @property
    def duplicates_interval(self) -> tuple[float, float]:
        """95 % interval of `duplicates_served` (Clopper and Pearson 1934)."""
        return interval(self.right, self.duplicates)

    @property
    def wrong_interval(self) -> tuple[float, float]:
        """95 % interval of `wrong_share`, which does not know that the threshold was chosen."""
        return interval(self.wrong, self.served)


def served_at(scores: Scores, same: Flags, limits: Sequence[float]) -> tuple[Point, ...]:
    """Return the point for each limit.

    Both arrays have one element a pair. A pair is served if its score is at least the threshold,
    so pairs of one score are served together; NaN is served at no threshold. Of all thresholds
    within the limit this is one that serves most duplicates, and of those the highest.
    """
    duplicates = int(np.count_nonzero(same))
    known = ~np.isnan(scores)
    order = np.argsort(-scores[known], kind="stable")
    ranked, right_here = scores[known][order], same[known][order]
    # The last of each run of equal scores: where a threshold can be.
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], [True])[: len(ranked)])
    right = np.cumsum(right_here)[ends]
    served = ends + 1
    wrong_share = (served - right) / served
    points = []
    for limit in limits:
        within = np.flatnonzero((wrong_share <= limit) & (right > 0))
        if not len(within):
            points.append(Point(limit, None, 0, 0, duplicates))
            continue
        best = within[np.argmax(right[within])]  # argmax takes the first, which is the highest
        hits, count = int(right[best]), int(served[best])
        points.append(Point(limit, float(ranked[ends[best]]), hits, count - hits, duplicates))
    return tuple(points)
