from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.coding import rans_numba, rans_vector
from cachemw_codecs.coding.rans_numba import LANES, LOWEST, NO_SYMBOL, TOO_SHORT
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import binding  # type: ignore[import-untyped]

from tests.codecs.cachemw_codecs.coding.streams import streams
from tests.codecs.cachemw_codecs.coding.test_rans import Stream


@given(streams(max_tokens=130, max_columns=50), st.integers(0, 2**32 - 1), st.booleans())
def test_they_do_what_the_plain_loops_do(stream: Stream, seed: int, from_noise: bool) -> None:
    symbols, columns, tables = stream
    symbols = symbols[: len(symbols) // LANES * LANES]
    size = symbols.size
    states = np.full((2, LANES), LOWEST, np.uint32)
    words = np.zeros((2, size + 1 + LANES), np.uint32)
    begin = [
        encode(symbols, columns, tables.ranges, s, w, size + 1)
        for encode, s, w in zip(
            (rans_numba.encode_tokens, rans_vector.encode_groups), states, words, strict=True
        )
    ]
    assert begin[0] == begin[1]
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(words[0, begin[0] :], words[1, begin[0] :])

    if from_noise:
        rng = np.random.default_rng(seed)
        states[:] = rng.integers(LOWEST, 1 << 31, LANES)
        words[:, : size // 8] = rng.integers(0, 1 << 16, size // 8)
        words = words[:, : size // 8 + LANES]
        begin[0] = 0
    read = np.full((2, *symbols.shape), 255, np.uint8)
    ends = [
        decode(w, begin[0], columns, tables.slots, tables.ranges, s, r)
        for decode, w, s, r in zip(
            (rans_numba.decode_tokens, rans_vector.decode_groups), words, states, read, strict=True
        )
    ]
    assert ends[0] == ends[1]
    if ends[0] != TOO_SHORT:
        np.testing.assert_array_equal(states[0], states[1])
        np.testing.assert_array_equal(read[0], read[1])


@pytest.mark.parametrize("place", [(0, 0), (31, 16), (20, 19)])
def test_a_symbol_without_frequency(place: tuple[int, int]) -> None:
    ranges = np.zeros((1, 256), np.uint32)
    ranges[0, 5] = 4096 << 16
    symbols = np.full((LANES, 20), 5, np.uint8)
    columns = np.zeros(20, np.int32)
    words = np.zeros(symbols.size + 1, np.uint32)

    def place_after() -> int:
        states = np.full(LANES, LOWEST, np.uint32)
        return rans_vector.encode_groups(symbols, columns, ranges, states, words, len(words))

    assert place_after() == len(words)
    symbols[place] = 6
    assert place_after() == NO_SYMBOL


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx512f": True, "avx512bw": True, "avx2": True}, True),
        ({"avx512f": True}, False),
        ({"avx2": True, "avx512f": False, "avx512bw": False}, False),
        ({}, False),
    ],
)
def test_it_is_worthwhile_with_avx_512(
    features: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
    assert rans_vector.worthwhile.__wrapped__() is expected
