"""The format once more, as plainly as it can be written: the second oracle."""

from __future__ import annotations

import struct

import numpy as np
from cachemw_codecs.coding.frequencies import FrequencyTables
from numpy.typing import NDArray

LANES = 32


def order(tokens: int, width: int) -> list[tuple[int, int]]:
    """All (token, column) as they are decoded."""
    return [
        (token, column)
        for first in range(0, tokens, LANES)
        for column in range(width)
        for token in range(first, min(first + LANES, tokens))
    ]


def encode(symbols: NDArray[np.uint8], columns: list[int], tables: FrequencyTables) -> bytes:
    tokens, width = symbols.shape
    states = [1 << 15] * min(tokens, LANES)
    words: list[int] = []
    for token, column in reversed(order(tokens, width)):
        table = [int(f) for f in tables.frequencies[columns[column]]]
        symbol = int(symbols[token, column])
        f, start = table[symbol], sum(table[:symbol])
        x = states[token % LANES]
        if x >= f << 19:
            words.append(x % 65536)
            x //= 65536
        states[token % LANES] = x // f * 4096 + x % f + start
    words.reverse()
    return struct.pack(f"<{len(states)}I{len(words)}H", *states, *words)


def decode(
    payload: bytes, tokens: int, columns: list[int], tables: FrequencyTables
) -> NDArray[np.uint8]:
    lanes = min(tokens, LANES)
    states = list(struct.unpack_from(f"<{lanes}I", payload))
    words = iter(struct.unpack(f"<{len(payload) // 2 - 2 * lanes}H", payload[4 * lanes :]))
    symbols = np.zeros((tokens, len(columns)), np.uint8)
    for token, column in order(tokens, len(columns)):
        table = [int(f) for f in tables.frequencies[columns[column]]]
        x = states[token % LANES]
        slot = x % 4096
        symbol = 0
        while sum(table[: symbol + 1]) <= slot:
            symbol += 1
        x = table[symbol] * (x // 4096) + slot - sum(table[:symbol])
        if x < 1 << 15:
            x = x * 65536 + next(words)
        states[token % LANES] = x
        symbols[token, column] = symbol
    assert next(words, None) is None
    assert set(states) <= {1 << 15}
    return symbols
