"""Streams to code."""

from __future__ import annotations

import numpy as np
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from hypothesis import strategies as st
from numpy.typing import NDArray

CENTRE = 128


def laplace(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [sigmas, 256] of a Laplace distribution around 128; 0 where hardly anything is."""
    away = np.abs(np.arange(SYMBOLS) - CENTRE)
    weights = np.exp(-away * np.sqrt(2) / sigma[:, None])
    return np.where(weights < 1e-6, 0, weights)


def gauss(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [sigmas, 256] of a normal distribution around 128; 0 where hardly anything is."""
    away = np.arange(SYMBOLS) - CENTRE
    weights = np.exp(-0.5 * (away / sigma[:, None]) ** 2)
    return np.where(weights < 1e-6, 0, weights)


def drawn(
    tokens: int, columns: NDArray[np.int32], tables: FrequencyTables, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Symbols [tokens, columns] as often as the tables say."""
    slots = rng.integers(0, 4096, (tokens, len(columns)))
    return tables.slots[columns[None, :], slots]


@st.composite
def streams(
    draw: st.DrawFn, max_tokens: int = 100, max_columns: int = 40
) -> tuple[NDArray[np.uint8], NDArray[np.int32], FrequencyTables]:
    """Symbols that can be coded, their columns and tables of very different alphabets."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 5))
    used = rng.integers(1, SYMBOLS + 1, count)
    weights = rng.random((count, SYMBOLS)) ** rng.integers(1, 20, (count, 1))
    for row, n in zip(weights, used, strict=True):
        row[rng.permutation(SYMBOLS)[n:]] = 0
    tables = FrequencyTables(quantised(weights))
    tokens = draw(st.integers(0, max_tokens))
    width = draw(st.integers(0, max_columns))
    columns = rng.integers(0, count, width).astype(np.int32)
    return drawn(tokens, columns, tables, rng), columns, tables
