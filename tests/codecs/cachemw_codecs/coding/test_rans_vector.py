from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.coding import rans_numba, rans_vector
from cachemw_codecs.coding.lookups import Lookups
from cachemw_codecs.coding.rans_numba import LANES, LOWEST, NO_SYMBOL, TOO_SHORT
from hypothesis import given
from hypothesis import strategies as st

from tests.codecs.cachemw_codecs.coding.streams import streams
from tests.codecs.cachemw_codecs.coding.test_rans import Stream


@given(
    streams(max_tokens=130, max_columns=50),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from(["chosen", "look up", "look for"]),
)
def test_they_do_what_the_plain_loops_do(
    stream: Stream, seed: int, from_noise: bool, way: str
) -> None:
    symbols, columns, tables = stream
    size = symbols.size
    states = np.full((2, LANES), LOWEST, np.uint32)
    words = np.full((2, size + 1 + LANES), 7, np.uint32)
    begin = [
        loops.encode_tokens(symbols, columns, tables.ranges, s, w[:-LANES])
        for loops, s, w in zip((rans_numba, rans_vector), states, words, strict=True)
    ]
    assert begin[0] == begin[1]
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(words[0, begin[0] :], words[1, begin[0] :])
    words = words[:, begin[0] :]

    if from_noise:
        rng = np.random.default_rng(seed)
        states[:] = rng.integers(LOWEST, 1 << 31, LANES)
        words = np.tile(rng.integers(0, 1 << 16, size // 8 + LANES).astype(np.uint32), (2, 1))
    lookups = Lookups.of(tables, columns)
    if way == "look up":
        lookups = Lookups(
            np.zeros_like(tables.lengths), tables.entries, tables.slots, tables.ranges
        )
    if way == "look for":
        lookups = Lookups(tables.lengths, tables.entries, tables.slots[:0], tables.ranges)
    read = np.full((2, *symbols.shape), 255, np.uint8)
    model = (columns, tables.slots, tables.ranges)
    ends = [
        rans_numba.decode_tokens(words[0], *model, states[0], read[0]),
        rans_vector.decode_tokens(words[1], columns, lookups, states[1], read[1]),
    ]
    assert ends[0] == ends[1]
    if not from_noise:
        np.testing.assert_array_equal(read[1], symbols)
    if ends[0] != TOO_SHORT:
        np.testing.assert_array_equal(states[0], states[1])
        np.testing.assert_array_equal(read[0], read[1])


@pytest.mark.parametrize("place", [(0, 0), (31, 16), (20, 19), (33, 2)])
def test_a_symbol_without_frequency(place: tuple[int, int]) -> None:
    ranges = np.zeros((1, 256), np.uint32)
    ranges[0, 5] = 4096 << 16
    symbols = np.full((LANES + 2, 20), 5, np.uint8)
    columns = np.zeros(20, np.int32)
    words = np.zeros(symbols.size + 1, np.uint32)

    def begin() -> int:
        states = np.full(LANES, LOWEST, np.uint32)
        return rans_vector.encode_tokens(symbols, columns, ranges, states, words)

    assert begin() == len(words)
    symbols[place] = 6
    assert begin() == NO_SYMBOL
