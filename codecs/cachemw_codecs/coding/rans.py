"""Interleaved rANS: the format of a stream, and its coder for CPUs.

Source: J. Duda, arXiv 1311.2540; interleaved states: F. Giesen, arXiv 1402.3392, and dietgpu.

A stream codes a matrix of symbols, uint8 [tokens, columns]; each column has its table. Lane i, of
32, codes tokens i, i + 32, ... The order of decoding is

    for each group of 32 tokens:    for each column:    for each lane (ascending)

so that all lanes use one table at a time. In a last group that is not full, the lanes past it rest.

A state is 32 bits, within [2^15, 2^31). To decode with a table (frequency f, start c, of 4096):

    slot = x mod 4096;  s = the symbol there;  x = f * (x div 4096) + slot - c
    if x < 2^15:  x = x * 2^16 + next word

The bytes, all little-endian: `min(tokens, 32)` states of 32 bits with which decoding begins, then
16-bit words in the order they are read. All states end at 2^15 and every word has been read: else
the data are damaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.coding.frequencies import FrequencyTables

LANES = 32
LOWEST = 1 << 15


def encode(
    symbols: NDArray[np.uint8], columns: NDArray[np.int32], tables: FrequencyTables
) -> bytes:
    """Encode `symbols`, uint8 [tokens, columns], with table `columns[j]` for column j.

    Raises `InvalidInput` where a symbol has frequency 0 in its table.
    """
    raise NotImplementedError


def decode(
    payload: bytes | memoryview, tokens: int, columns: NDArray[np.int32], tables: FrequencyTables
) -> NDArray[np.uint8]:
    """Decode to uint8 [tokens, columns]. Raises `DamagedData`; never reads past `payload`."""
    raise NotImplementedError
