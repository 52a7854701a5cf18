"""The loops of `rans`, compiled. What they may assume of their arguments, `rans` makes sure of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.coding.compiled import compiled

LANES = 32
LOWEST = 1 << 15
NO_SYMBOL = -1
"""The symbol has frequency 0."""
TOO_SHORT = -2
"""The words end before the symbols."""
RECIPROCAL_BITS = 43


def reciprocals() -> NDArray[np.uint64]:
    """uint64 [4097]: r = ceil(2^43 / f), by f. For all x < f * 2^19 <= 2^31, x // f is x * r >> 43.

    x * r stays below 2^63. Exact because e = f * r - 2^43 < f <= 2^12, so that x * e < 2^43.
    """
    f = np.arange(1, 4097, dtype=np.uint64)
    values = (np.uint64(1 << RECIPROCAL_BITS) + f - np.uint64(1)) // f
    return np.concatenate([np.zeros(1, np.uint64), values])


@compiled
def encode_words(
    symbols: NDArray[np.uint8],
    columns: NDArray[np.int32],
    ranges: NDArray[np.uint32],
    inverse: NDArray[np.uint64],
    states: NDArray[np.uint32],
    words: NDArray[np.uint16],
) -> int:
    """Encode from the last symbol to the first; words fill `words` from its end.

    Returns where they begin, or `NO_SYMBOL`. `words` holds one more than there are symbols: each
    gives one at most, and the place before the last is written whether it is kept or not.
    """
    tokens, width = symbols.shape
    place = words.size
    for first in range((tokens - 1) // LANES * LANES, -1, -LANES):
        lanes = min(LANES, tokens - first)
        for column in range(width - 1, -1, -1):
            table = ranges[columns[column]]
            for lane in range(lanes - 1, -1, -1):
                entry = table[symbols[first + lane, column]]
                f = entry >> np.uint32(16)
                if f == 0:
                    return NO_SYMBOL
                x = states[lane]
                words[place - 1] = x
                full = (x >> np.uint32(19)) >= f
                place -= full
                x = x >> np.uint32(16) if full else x
                times = np.uint32((np.uint64(x) * inverse[f]) >> np.uint64(RECIPROCAL_BITS))
                # 4096 times, plus the remainder x - f times, plus the start
                states[lane] = x + times * (np.uint32(4096) - f) + (entry & np.uint32(0xFFFF))
    return place


@compiled
def decode_words(
    words: NDArray[np.uint16],
    columns: NDArray[np.int32],
    slots: NDArray[np.uint8],
    ranges: NDArray[np.uint32],
    states: NDArray[np.uint32],
    symbols: NDArray[np.uint8],
) -> int:
    """Decode into `symbols`, [tokens, columns]; returns how many words were read, or `TOO_SHORT`.

    `words` ends in 32 that are padding: the check once for 32 lanes then keeps every read within.
    """
    tokens, width = symbols.shape
    count = words.size - LANES
    place = 0
    for first in range(0, tokens, LANES):
        lanes = min(LANES, tokens - first)
        for column in range(width):
            if place > count:
                return TOO_SHORT
            symbol_at = slots[columns[column]]
            table = ranges[columns[column]]
            for lane in range(lanes):
                x = states[lane]
                slot = x & np.uint32(4095)
                symbol = symbol_at[slot]
                symbols[first + lane, column] = symbol
                entry = table[symbol]
                f = entry >> np.uint32(16)
                x = f * (x >> np.uint32(12)) + slot - (entry & np.uint32(0xFFFF))
                low = x < np.uint32(LOWEST)
                word = np.uint32(words[place])
                place += low
                states[lane] = (x << np.uint32(16)) | word if low else x
    return place if place <= count else TOO_SHORT
