"""Models for the coder: how often each of 256 symbols comes, in 4096ths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.coding.compiled import compiled

PROB_BITS = 12
TOTAL = 1 << PROB_BITS
SYMBOLS = 256


@dataclass(frozen=True)
class FrequencyTables:
    """Some tables over the same 256 symbols.

    `frequencies`: uint16 [tables, 256], each row summing to 4096. A symbol of frequency 0 cannot be
    coded. Encoder and decoder must hold the same integers: tables are stored or derived from
    integers, never computed anew from floating point.
    """

    frequencies: NDArray[np.uint16]

    def __post_init__(self) -> None:
        f = self.frequencies
        if f.dtype != np.uint16 or f.ndim != 2 or f.shape[1] != SYMBOLS:
            raise ValueError(f"expected uint16 [tables, {SYMBOLS}], got {f.dtype} {f.shape}")
        if len(f) and not bool((f.sum(axis=1, dtype=np.int64) == TOTAL).all()):
            raise ValueError(f"every table must sum to {TOTAL}")

    def __len__(self) -> int:
        return len(self.frequencies)

    @cached_property
    def starts(self) -> NDArray[np.uint16]:
        """uint16 [tables, 256]: the sum of the frequencies before each symbol."""
        sums = np.cumsum(self.frequencies, axis=1, dtype=np.int64) - self.frequencies
        return sums.astype(np.uint16)

    @cached_property
    def ranges(self) -> NDArray[np.uint32]:
        """uint32 [tables, 256]: frequency x 2^16 + start, what a coder looks up of a symbol."""
        # Behind a symbol of frequency 4096 starts are 4096 too, and never used.
        return self.frequencies.astype(np.uint32) << np.uint32(16) | self.starts

    @cached_property
    def slots(self) -> NDArray[np.uint8]:
        """uint8 [tables, 4096]: the symbol at each place of the cumulative range."""
        symbols = np.tile(np.arange(SYMBOLS, dtype=np.uint8), len(self))
        return np.repeat(symbols, self.frequencies.ravel()).reshape(-1, TOTAL)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """int32 [tables]: how many symbols have a frequency."""
        return np.asarray(np.count_nonzero(self.frequencies, axis=1), np.int32)

    @cached_property
    def entries(self) -> NDArray[np.uint32]:
        """uint32 [tables, 256]: start x 2^20 + (frequency - 1) x 2^8 + symbol, ascending.

        Of those that have a frequency; then the last one again and again.
        """
        number = np.minimum(np.arange(SYMBOLS), self.lengths[:, None] - 1)
        symbols = np.argsort(self.frequencies == 0, axis=1, kind="stable")
        symbols = np.take_along_axis(symbols, number, axis=1)
        f = np.take_along_axis(self.frequencies, symbols, axis=1).astype(np.uint32)
        starts = np.take_along_axis(self.starts, symbols, axis=1).astype(np.uint32)
        entries = starts << np.uint32(20)
        entries |= (f - np.uint32(1)) << np.uint32(8)
        entries |= symbols.astype(np.uint32)
        return entries

    def bits(self) -> NDArray[np.float64]:
        """float64 [tables, 256]: bits a symbol; infinite where it cannot be coded."""
        with np.errstate(divide="ignore"):
            return np.asarray(PROB_BITS - np.log2(self.frequencies.astype(np.float64)))


def quantised(weights: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Round rows of weights [tables, 256] (>= 0) to frequencies that sum to 4096.

    What has any weight keeps at least 1; what has none gets 0. Among all such tables it is the one
    that codes symbols of these weights in fewest bits. Equal weights give equal tables on every
    machine. Raises `ValueError` for weights that are negative, not finite or all 0.

    Source: own design. The cost, the sum of -weight x log2(frequency), is separable and convex, so
    that moving single 4096ths from where one costs least to where it gains most ends at the best.
    """
    weights = np.ascontiguousarray(weights, np.float64)
    if weights.ndim != 2 or weights.shape[1] != SYMBOLS:
        raise ValueError(f"expected weights [tables, {SYMBOLS}], got {list(weights.shape)}")
    if not bool((np.isfinite(weights) & (weights >= 0)).all()):
        raise ValueError("weights must be finite and not negative")
    if not bool((weights > 0).any(axis=1).all()):
        raise ValueError("every table needs a weight above 0")
    frequencies = np.zeros(weights.shape, np.uint16)
    _quantise(weights, _gains(), frequencies)
    return frequencies


def _gains() -> NDArray[np.float64]:
    """Bits that a symbol gets cheaper when its frequency grows from n to n + 1, by n.

    In multiples of 2^-32, because mathematical libraries differ in the last place of a logarithm.
    """
    n = np.arange(1, TOTAL + 1, dtype=np.float64)
    gains = np.rint(np.log2((n + 1) / n) * 2.0**32) / 2.0**32
    return np.concatenate([[np.inf], gains])


@compiled
def _quantise(
    weights: NDArray[np.float64], gains: NDArray[np.float64], frequencies: NDArray[np.uint16]
) -> None:
    w = np.empty(SYMBOLS, np.float64)
    f = np.empty(SYMBOLS, np.int64)
    for row in range(len(weights)):
        left = _begin(weights[row], w, f)
        while True:
            gainer = _most_gained(w, f, gains)
            payer = _least_lost(w, f, gains)
            if left == 0 and (
                payer < 0 or w[gainer] * gains[f[gainer]] <= w[payer] * gains[f[payer] - 1]
            ):
                break
            if left >= 0:
                f[gainer] += 1
                left -= 1
            if left < 0:
                f[payer] -= 1
                left += 1
        for s in range(SYMBOLS):
            frequencies[row, s] = f[s]


@compiled
def _begin(weights: NDArray[np.float64], w: NDArray[np.float64], f: NDArray[np.int64]) -> int:
    """Set `f` in proportion, rounded down, at least 1 where there is weight; returns what is left.

    Sets `w` to `weights` by the largest: neither their sum nor a quotient overflows, but small
    ones may become 0.
    """
    largest = 0.0
    for s in range(SYMBOLS):
        largest = max(largest, weights[s])
    whole = 0.0
    for s in range(SYMBOLS):  # in this order: a sum of floats depends on it
        w[s] = weights[s] / largest
        whole += w[s]
    left = TOTAL
    for s in range(SYMBOLS):
        f[s] = max(1, int(w[s] / whole * TOTAL)) if weights[s] > 0 else 0
        left -= f[s]
    return left


@compiled
def _most_gained(w: NDArray[np.float64], f: NDArray[np.int64], gains: NDArray[np.float64]) -> int:
    best, gain = -1, -1.0
    for s in range(SYMBOLS):
        if f[s] > 0 and w[s] * gains[f[s]] > gain:
            best, gain = s, w[s] * gains[f[s]]
    return best


@compiled
def _least_lost(w: NDArray[np.float64], f: NDArray[np.int64], gains: NDArray[np.float64]) -> int:
    best, loss = -1, np.inf
    for s in range(SYMBOLS):
        if f[s] > 1 and w[s] * gains[f[s] - 1] < loss:
            best, loss = s, w[s] * gains[f[s] - 1]
    return best
