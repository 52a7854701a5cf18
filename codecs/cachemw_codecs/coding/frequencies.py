"""Models for the coder: how often each of 256 symbols comes, in 4096ths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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
    def slots(self) -> NDArray[np.uint8]:
        """uint8 [tables, 4096]: the symbol at each place of the cumulative range."""
        symbols = np.arange(SYMBOLS, dtype=np.uint8)
        rows = [np.repeat(symbols, row) for row in self.frequencies]
        return np.stack(rows) if rows else np.zeros((0, TOTAL), np.uint8)

    def bits(self) -> NDArray[np.float64]:
        """float64 [tables, 256]: bits a symbol; infinite where it cannot be coded."""
        with np.errstate(divide="ignore"):
            return np.asarray(PROB_BITS - np.log2(self.frequencies.astype(np.float64)))


def quantised(weights: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Round rows of weights [tables, 256] (>= 0) to frequencies that sum to 4096.

    What has any weight keeps at least 1. The surplus is taken where it costs fewest bits.
    """
    raise NotImplementedError
