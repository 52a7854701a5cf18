"""What a stored answer is worth, and which ones to give up first.

The value of Greedy-Dual-Size-Frequency: frequency x cost / size (Cherkasova 1998, "Improving WWW
Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", section 3). Its ageing is
another: there a clock rises with what was evicted, here frequencies halve, as in LRFU (Lee et al.
2001, "LRFU: A Spectrum of Policies", equation 1). Time is counted in turnovers: bytes put since the
start over the bytes the store holds. So one half-life fits small and large stores, slow and busy
ones. `loadtests/reports/eviction.md` compares both, and says how the half-life was chosen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Turnovers of the store in which a frequency halves.
HALF_LIFE = 3.0


def decayed(frequency: Floats, touched: Floats, now: float, half_life: float = HALF_LIFE) -> Floats:
    """Return frequencies as of `now`, which are of the times `touched`.

    Shapes [entries]; times and `half_life` in turnovers. What is of a later time stays as it is.
    """
    decay: Floats = np.exp2(np.minimum(touched - now, 0.0) / half_life)
    return frequency * decay


def used(
    frequency: float, touched: float, now: float, times: int = 1, half_life: float = HALF_LIFE
) -> float:
    """Return the frequency, of the time `touched`, of an entry used so many `times` more `now`."""
    return frequency * math.exp2(min(touched - now, 0.0) / half_life) + times


def worth(frequency: Floats, saved: Floats, sizes: Floats) -> Floats:
    """Return what each byte of an entry saves: uses x saving of one hit / size.

    Shapes [entries]; `saved` in one unit for all (seconds or dollars), `sizes` in bytes.
    """
    return frequency * saved / np.maximum(sizes, 1.0)


def victims(values: Floats, sizes: Floats, *, entries: int, size: float) -> Indices:
    """Return the least valuable entries, in their order, that free `entries` and `size` bytes.

    Shapes [entries]. No more than are needed for both; all where that is not enough, none where
    nothing is needed. Of entries with the same value the first in the arrays go first.
    """
    if entries <= 0 and size <= 0:
        return np.empty(0, dtype=np.intp)
    order = np.argsort(values, kind="stable")
    count = max(entries, 0)
    if size > 0:
        freed = np.cumsum(sizes[order])
        count = max(count, int(np.searchsorted(freed, size)) + 1)
    return order[:count]
