from __future__ import annotations

import numpy as np
from cachemw_codecs.coding.frequencies import FrequencyTables, quantised
from cachemw_codecs.coding.rans_numba import (
    LANES,
    LOWEST,
    NO_SYMBOL,
    TOO_SHORT,
    decode_tokens,
    encode_tokens,
)

from tests.codecs.cachemw_codecs.coding.streams import drawn, laplace

TABLES = FrequencyTables(quantised(laplace(np.array([1.0, 3.0]))))
COLUMNS = np.array([0, 1, 1], np.int32)


def states() -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.full(LANES, LOWEST, np.uint32)


def test_decoding_ends_where_encoding_began() -> None:
    symbols = drawn(250, COLUMNS, TABLES, np.random.default_rng(0))
    lanes = states()
    words = np.full(symbols.size + 1 + LANES, 7, np.uint32)
    begin = encode_tokens(symbols, COLUMNS, TABLES.ranges, lanes, words[:-LANES])
    read = np.zeros_like(symbols)
    model = (COLUMNS, TABLES.slots, TABLES.ranges, lanes)
    assert decode_tokens(words[begin:], *model, read) == symbols.size + 1 - begin
    np.testing.assert_array_equal(read, symbols)
    assert set(lanes) == {LOWEST}
    assert set(words[-LANES:]) == {7}


def test_they_return_what_is_wrong() -> None:
    impossible = np.zeros((1, 3), np.uint8)
    words = np.zeros(4, np.uint32)
    assert encode_tokens(impossible, COLUMNS, TABLES.ranges, states(), words) == NO_SYMBOL
    padding = np.zeros(LANES, np.uint32)
    model = (COLUMNS, TABLES.slots, TABLES.ranges, states())
    assert decode_tokens(padding, *model, np.empty((99, 3), np.uint8)) == TOO_SHORT
    assert decode_tokens(padding, *model, np.empty((0, 3), np.uint8)) == 0
