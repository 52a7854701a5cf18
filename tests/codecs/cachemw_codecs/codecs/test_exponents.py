from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.codecs.exponents import decode_rows, encode_rows
from cachemw_codecs.codecs.framing import Reader, Words
from cachemw_codecs.errors import DamagedData
from hypothesis import given
from hypothesis import strategies as st


def decoded(payload: bytes, rows: Words) -> Words:
    reader = Reader(payload)
    out = decode_rows(reader, len(rows), rows.shape[1], rows.itemsize)
    reader.end()
    return out


@given(
    st.integers(1, 80),
    st.integers(1, 40),
    st.sampled_from((2, 5, 1000)),
    st.sampled_from((np.uint16, np.uint32)),
    st.integers(0, 2**32 - 1),
)
def test_rows_come_back(
    tokens: int, columns: int, different: int, kind: type[np.uint16 | np.uint32], seed: int
) -> None:
    random = np.random.default_rng(seed)
    words = random.integers(0, np.iinfo(kind).max, different, kind, endpoint=True)
    rows = random.choice(words, (tokens, columns))
    back = decoded(encode_rows(rows), rows)
    assert back.dtype == rows.dtype
    assert np.array_equal(back, rows)


@pytest.mark.parametrize(("values", "tables"), [(4096, 1), (3 * 8192, 3), (20 * 8192, 8)])
def test_more_values_get_more_tables(values: int, tables: int) -> None:
    rows = np.random.default_rng(4).normal(size=(values // 64, 64)).astype(np.float32)
    assert encode_rows(rows.view(np.uint32))[0] == tables


@pytest.mark.parametrize(
    ("negative", "share"),
    # Of 320 signs. In 32nds, at least one and at most 31; 0 from 13 to 19.
    [(0, 1), (1, 1), (10, 1), (124, 12), (125, 0), (194, 0), (195, 20), (319, 31), (320, 31)],
)
def test_a_sign_is_coded_where_it_repeats(negative: int, share: int) -> None:
    rows = np.full((320, 1), 0x3F80, np.uint16)
    rows[:negative] |= 0x8000
    payload = encode_rows(rows)
    # One table of one symbol: 1 + 1 + 1 + 2 bytes; the column's peak; its kind.
    assert payload[:7].hex() == f"010000{0x9000:04x}7f{share << 3:02x}"
    assert np.array_equal(decoded(payload, rows), rows)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 0, "tables: 0"),
        (0, 9, "tables: 9"),
        (1, 255, "table: frequencies"),
        (6, 1, "wants table 1 of 1"),
        (14, 1, "stream: "),
    ],
)
def test_damage_is_named(place: int, value: int, message: str) -> None:
    rows = np.full((320, 1), 0x3F80, np.uint16)
    payload = bytearray(encode_rows(rows))
    payload[place] = value
    with pytest.raises(DamagedData, match=message):
        decoded(bytes(payload), rows)
