"""Whole numbers as symbols, and raw values where no symbol stands for a number.

Symbol s stands for s - 127, the last for "kept as it is": the value follows behind the streams, in
the cache's own dtype. A number is kept so where the profile gave its symbol no frequency.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.codecs.cachegen.steps import LARGEST, Floats
from cachemw_codecs.codecs.framing import Reader, Words
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables
from cachemw_codecs.errors import DamagedData

ESCAPE = 255

Symbols = NDArray[np.uint8]
Columns = NDArray[np.int32]


def to_symbols(numbers: NDArray[Any], columns: Columns, tables: FrequencyTables) -> Symbols:
    """Return uint8 [rows, columns] for whole numbers of that shape, infinite ones among them."""
    # What is beyond becomes -1 or 255, and as a byte 255 either way.
    beyond = LARGEST + 1
    symbols: Symbols = (
        (np.clip(numbers, -beyond, beyond) + LARGEST).astype(np.int16).astype(np.uint8)
    )
    coded = tables.frequencies.ravel() > 0
    places = symbols + SYMBOLS * columns.astype(np.intp)
    symbols[~coded.take(places)] = ESCAPE
    return symbols


def to_numbers(symbols: Symbols) -> Floats:
    """Undo `to_symbols`, as float32; what was kept as it is becomes 0."""
    numbers = symbols.astype(np.float32) - np.float32(LARGEST)
    numbers[symbols == ESCAPE] = 0
    return numbers


def kept(symbols: Symbols, bits: Words) -> bytes:
    """Return the values, little-endian, that `symbols` left out; `bits` has the same shape."""
    values: Words = bits[symbols == ESCAPE]
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def read_kept(reader: Reader, symbols: Symbols, itemsize: int) -> Words:
    """Read those values' bits, one-dimensional; raises `DamagedData` where they are fewer."""
    count = int(np.count_nonzero(symbols == ESCAPE))
    values = reader.take(count * itemsize, "kept values")
    bits: Words = values.view("<u2" if itemsize == 2 else "<u4")
    return bits.astype(bits.dtype.newbyteorder("="))


def put_back(rows: Floats, symbols: Symbols, values: Floats) -> None:
    """Write kept values into `rows`; raises `DamagedData` for values that are not finite."""
    if not bool(np.isfinite(values).all()):
        raise DamagedData("kept values: one is not finite")
    rows[symbols == ESCAPE] = values
