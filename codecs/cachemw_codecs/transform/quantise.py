"""Coordinates to symbols and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.errors import DamagedData
from cachemw_codecs.transform.classes import ESCAPE, ROUNDING, ZERO

MOST = 32767
"""Values are 16 bits: what is further away is brought there."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """`symbols`: uint8 [rows, columns]. `places`, `values`: flat indices and int16 of escapes."""

    symbols: NDArray[np.uint8]
    places: NDArray[np.int64]
    values: NDArray[np.int16]


def quantise(y: NDArray[np.float32], codable: NDArray[np.bool_]) -> Quantised:
    """Quantise `y`, float32 [rows, columns] in steps.

    `codable`: bool [columns, 256], which symbols the column's table has.
    """
    whole = np.floor(np.abs(y) + np.float32(ROUNDING))
    q = np.copysign(np.minimum(whole, MOST), y).astype(np.int32)
    symbols = np.clip(q + ZERO, ESCAPE, 255).astype(np.uint8)
    inside = np.take_along_axis(codable, symbols.T, axis=1).T & (symbols != ESCAPE)
    places = np.flatnonzero(~inside | (q + ZERO != symbols))
    values = q.ravel()[places].astype(np.int16)
    symbols.ravel()[places] = ESCAPE
    return Quantised(symbols, places, values)


def nearest(y: NDArray[np.float32], offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what `dequantise` makes of `quantise`; `y` and offsets in steps."""
    whole = np.minimum(np.floor(np.abs(y) + np.float32(ROUNDING)), MOST)
    return np.asarray(np.copysign(np.maximum(whole - offsets * (whole > 0), 0), y))


def dequantise(
    symbols: NDArray[np.uint8],
    places: NDArray[np.int64],
    values: NDArray[np.int16],
    offsets: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return float32 [rows, columns] in steps: sign(q) (|q| - offset of the column).

    Raises `DamagedData` where `places` are not just those of the symbols that stand for an escape.
    """
    if not np.array_equal(np.flatnonzero(symbols == ESCAPE), places):
        raise DamagedData("escapes: their places are not those of the symbols that stand for one")
    q = symbols.astype(np.float32) - np.float32(ZERO)
    q.ravel()[places] = values
    return np.asarray(q - np.sign(q) * offsets)
