"""Frequency tables inside a payload, for codecs without a calibration file. Own design."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.codecs.framing import Reader
from cachemw_codecs.coding.frequencies import SYMBOLS, TOTAL
from cachemw_codecs.errors import DamagedData


def table_as_bytes(frequencies: NDArray[np.uint16]) -> bytes:
    """Write one table of 256 frequencies that sum to 4096.

    The first and the last symbol there is, a byte each; then each frequency between them, a byte
    below 128, else two: 128 + its high byte, its low byte.
    """
    present = np.flatnonzero(frequencies)
    first, last = int(present[0]), int(present[-1])
    out = bytearray((first, last))
    for frequency in frequencies[first : last + 1].tolist():
        out += (
            bytes((frequency,))
            if frequency < 128
            else bytes((128 | frequency >> 8, frequency & 255))
        )
    return bytes(out)


def read_table(reader: Reader) -> NDArray[np.uint16]:
    """Read what `table_as_bytes` wrote, uint16 [256]; raises `DamagedData` for any other sum."""
    first, last = (int(symbol) for symbol in reader.take(2, "table"))
    frequencies = np.zeros(SYMBOLS, np.uint16)
    for symbol in range(first, last + 1):
        frequency = int(reader.take(1, "table")[0])
        if frequency >= 128:
            frequency = (frequency & 127) << 8 | int(reader.take(1, "table")[0])
        frequencies[symbol] = frequency
    if int(frequencies.sum(dtype=np.int64)) != TOTAL:
        raise DamagedData(f"table: frequencies do not sum to {TOTAL}")
    return frequencies
