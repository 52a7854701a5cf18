"""What a threshold serves, how much of it is wrong, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, with its 95 % interval after Wilson (1927)."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """From and to; all is possible where there is nothing."""
        if not self.whole:
            return 0.0, 1.0
        share, n = self.value, self.whole
        centre = share + _Z**2 / (2 * n)
        reach = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
        scale = 1 + _Z**2 / n
        return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


@dataclass(frozen=True, slots=True)
class Quality:
    """A threshold on one set of pairs.

    `found`: of the true duplicates, those that are served. `let_through`: of the others, those that
    are served all the same. `wrong`: of what is served, what is no duplicate.
    """

    threshold: float
    found: Share
    let_through: Share
    wrong: Share


def quality(
    similarities: NDArray[np.float32], same: NDArray[np.bool_], threshold: float
) -> Quality:
    """Judge one threshold; both arrays have one element a pair."""
    served = similarities >= threshold
    right = int(np.count_nonzero(served & same))
    wrong = int(np.count_nonzero(served & ~same))
    duplicates = int(np.count_nonzero(same))
    return Quality(
        threshold,
        Share(right, duplicates),
        Share(wrong, len(same) - duplicates),
        Share(wrong, right + wrong),
    )


def lowest(judged: Sequence[Quality], limit: float) -> Quality | None:
    """Return the lowest threshold that keeps `wrong` within the limit, and every one above it."""
    chosen = None
    for candidate in sorted(judged, key=lambda q: -q.threshold):
        if candidate.wrong.value > limit:
            break
        chosen = candidate
    return chosen
