"""The loops of `rans` for any processor. What they may assume of their arguments `rans` ensures."""

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


@compiled
def encode_tokens(
    symbols: NDArray[np.uint8],
    columns: NDArray[np.int32],
    ranges: NDArray[np.uint32],
    states: NDArray[np.uint32],
    words: NDArray[np.uint32],
) -> int:
    """Encode `symbols`, [tokens, columns], backwards; words fill `words` from its end.

    Returns where they begin, or `NO_SYMBOL`. Each symbol gives one word at most. The place before
    the first word is written too: there must be one more than symbols.
    """
    tokens, width = symbols.shape
    at = np.int64(words.size)
    for first in range((tokens - 1) // LANES * LANES, -1, -LANES):
        for column in range(width - 1, -1, -1):
            table = ranges[columns[column]]
            for lane in range(min(LANES, tokens - first) - 1, -1, -1):
                entry = table[symbols[first + lane, column]]
                f = np.uint32(entry >> np.uint32(16))
                if f == 0:
                    return NO_SYMBOL
                x = states[lane]
                # Without branches: what a state does cannot be predicted.
                words[at - 1] = x & np.uint32(0xFFFF)
                full = np.uint32(np.uint32(x >> np.uint32(19)) >= f)
                at -= np.int64(full)
                x = np.uint32(x >> np.uint32(full << np.uint32(4)))
                start = np.uint32(entry & np.uint32(0xFFFF))
                states[lane] = np.uint32(x // f << np.uint32(12)) + np.uint32(x % f) + start
    return int(at)


@compiled
def decode_tokens(
    words: NDArray[np.uint32],
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
    at = np.uint64(0)  # unsigned: numba has no negative index to look out for
    for first in range(0, tokens, LANES):
        for column in range(width):
            if at > np.uint64(count):
                return TOO_SHORT
            symbol_at = slots[columns[column]]
            table = ranges[columns[column]]
            for lane in range(min(LANES, tokens - first)):
                x = states[lane]
                slot = np.uint32(x & np.uint32(4095))
                symbol = symbol_at[slot]
                symbols[first + lane, column] = symbol
                entry = table[symbol]
                f = np.uint32(entry >> np.uint32(16))
                start = np.uint32(entry & np.uint32(0xFFFF))
                x = np.uint32(np.uint32(f * np.uint32(x >> np.uint32(12))) + slot) - start
                # Without branches: what a state does cannot be predicted.
                low = np.uint32(np.uint32(x) < np.uint32(LOWEST))
                word = np.uint32(words[at] & np.uint32(np.uint32(0) - low))
                states[lane] = np.uint32(np.uint32(x) << np.uint32(low << np.uint32(4))) | word
                at += np.uint64(low)
    if at > np.uint64(count):
        return TOO_SHORT
    return int(np.int64(at))
