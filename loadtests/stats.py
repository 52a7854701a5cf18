"""Numbers out of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile of one set of samples, in the samples' unit."""

    p50: float
    p99: float


def spread(samples: Sequence[float]) -> Spread:
    """Return the spread of `samples`, of which there is at least one."""
    p50, p99 = np.percentile(np.asarray(samples, dtype=np.float64), [50, 99])
    return Spread(float(p50), float(p99))


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return float(np.median(np.asarray(values, dtype=np.float64)))


def median_ratio(subject: Sequence[float], floor: Sequence[float]) -> float:
    """Return the median of ratios taken round by round, so that drift hits both sides alike."""
    return median([s / f for s, f in zip(subject, floor, strict=True)])


def median_difference(subject: Sequence[Spread], floor: Sequence[Spread]) -> Spread:
    """Return the medians of differences taken round by round."""
    return Spread(
        median([s.p50 - f.p50 for s, f in zip(subject, floor, strict=True)]),
        median([s.p99 - f.p99 for s, f in zip(subject, floor, strict=True)]),
    )


def middle(spreads: Sequence[Spread]) -> Spread:
    """Return the medians over rounds."""
    return Spread(median([s.p50 for s in spreads]), median([s.p99 for s in spreads]))
