"""Differences to the uncompressed model, with intervals over windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def mean(per_window: Sequence[float], rng: np.random.Generator) -> Interval:
    """Return the mean, with the percentile bootstrap over windows.

    Windows are resampled whole: tokens of one window are not independent. Handed differences to
    the uncompressed model on the same windows, the interval is a paired one.
    """
    values: NDArray[np.float64] = np.asarray(per_window, dtype=np.float64)
    drawn = rng.integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def loss_percent(nll_differences: Sequence[float], rng: np.random.Generator) -> Interval:
    """Return the rise in perplexity in per cent, from differences of mean nats a token."""
    nats = mean(nll_differences, rng)
    return Interval(*(100 * float(np.expm1(n)) for n in (nats.value, nats.low, nats.high)))
