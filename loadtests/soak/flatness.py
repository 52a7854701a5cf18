"""Whether something stayed where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WINDOWS = 5
"""The time after the warm-up is cut into so many; the first and the last are compared."""


@dataclass(frozen=True, slots=True)
class Flatness:
    """Medians of all windows in turn, and the slope of the straight line through all samples.

    `slope` is in the samples' unit per minute, `drift` what it amounts to over the whole time, as a
    share of the first median.
    """

    medians: tuple[float, ...]
    slope: float
    drift: float

    @property
    def change(self) -> float:
        """The last window's median against the first's, as a share of the first's."""
        return self.medians[-1] / self.medians[0] - 1


def flatness(seconds: Sequence[float], values: Sequence[float], warm_up_s: float) -> Flatness:
    """Judge samples taken after the warm-up. Raises ValueError for less than two a window."""
    times = np.asarray(seconds, dtype=np.float64)
    taken = np.asarray(values, dtype=np.float64)[times >= warm_up_s]
    times = times[times >= warm_up_s]
    if len(times) < 2 * WINDOWS:
        raise ValueError(f"{len(times)} samples after the warm-up are too few")
    medians = tuple(float(np.median(window)) for window in np.array_split(taken, WINDOWS))
    slope = float(np.polyfit(times / 60, taken, 1)[0])
    minutes = float(times[-1] - times[0]) / 60
    return Flatness(medians, slope, slope * minutes / medians[0])
