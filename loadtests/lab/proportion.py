"""Counts of successes with the interval that a report owes them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Proportion:
    """A count of successes with its 95 % Wilson interval."""

    successes: int
    trials: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound of the proportion; nothing is known of no trials."""
        if self.trials == 0:
            return 0.0, 1.0
        z, n, p = 1.959964, self.trials, self.successes / self.trials
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.successes}/{self.trials} [{low:.3f}, {high:.3f}]"
