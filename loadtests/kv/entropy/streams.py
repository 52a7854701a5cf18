"""Streams of rounded Laplace symbols, as quantised keys and values are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from numpy.typing import NDArray

CENTRE = 128
SPREAD = 2.0
"""With several tables, their standard deviations go from sigma / SPREAD to sigma x SPREAD."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Symbols [tokens, columns], each column's table, and what is to be told of them."""

    symbols: NDArray[np.uint8]
    columns: NDArray[np.int32]
    tables: FrequencyTables
    sigma: float

    @property
    def entropy(self) -> float:
        """Bits a symbol, from the symbols' counts under each table: what no coder can beat."""
        counts = counts_of(self.symbols, self.columns, len(self.tables))
        whole = counts.sum(axis=1, keepdims=True)
        bits = np.log2(whole / np.maximum(counts, 1))
        return float((counts * bits).sum() / self.symbols.size)


def counts_of(
    symbols: NDArray[np.uint8], columns: NDArray[np.int32], tables: int
) -> NDArray[np.int64]:
    """How often each symbol comes in the columns of each table, [tables, 256]."""
    places = columns.astype(np.int64)[None, :] * SYMBOLS + symbols
    return np.bincount(places.ravel(), minlength=tables * SYMBOLS).reshape(tables, SYMBOLS)


def laplace(sigma: float, tables: int, tokens: int, width: int, rng: np.random.Generator) -> Stream:
    """Draw a stream; its tables are its own counts, so that only the coder's loss is seen."""
    spread = SPREAD if tables > 1 else 1.0
    sigmas = np.geomspace(sigma / spread, sigma * spread, tables)
    columns = (np.arange(width) % tables).astype(np.int32)
    values = np.rint(rng.laplace(0, sigmas[columns] / np.sqrt(2), (tokens, width)))
    symbols = np.clip(values + CENTRE, 0, SYMBOLS - 1).astype(np.uint8)
    counts = counts_of(symbols, columns, tables)
    return Stream(symbols, columns, FrequencyTables(quantised(counts.astype(np.float64))), sigma)
