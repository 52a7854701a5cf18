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
SYMBOLS = drawn(250, COLUMNS, TABLES, np.random.default_rng(0))


def test_they_go_on_from_a_place() -> None:
    states = np.full(LANES, LOWEST, np.uint32)
    words = np.zeros(SYMBOLS.size + LANES + 1, np.uint32)
    end = len(words) - LANES
    middle = encode_tokens(SYMBOLS[128:], COLUMNS, TABLES.ranges, states, words, end)
    begin = encode_tokens(SYMBOLS[:128], COLUMNS, TABLES.ranges, states, words, middle)
    assert 0 < begin < middle < end

    read = np.zeros_like(SYMBOLS)
    model = (COLUMNS, TABLES.slots, TABLES.ranges, states)
    assert decode_tokens(words, begin, *model, read[:128]) == middle
    assert decode_tokens(words, middle, *model, read[128:]) == end
    np.testing.assert_array_equal(read, SYMBOLS)
    assert set(states) == {LOWEST}


def test_they_return_what_is_wrong() -> None:
    impossible = np.zeros((1, 3), np.uint8)
    states = np.full(LANES, LOWEST, np.uint32)
    words = np.zeros(4, np.uint32)
    assert encode_tokens(impossible, COLUMNS, TABLES.ranges, states, words, 4) == NO_SYMBOL
    padding = np.zeros(LANES, np.uint32)
    model = (COLUMNS, TABLES.slots, TABLES.ranges, states)
    assert decode_tokens(padding, 0, *model, np.empty((99, 3), np.uint8)) == TOO_SHORT
    nothing = np.empty((0, 3), np.uint8)
    assert decode_tokens(padding, 0, *model, nothing) == 0
    assert decode_tokens(padding, 1, *model, nothing) == TOO_SHORT
