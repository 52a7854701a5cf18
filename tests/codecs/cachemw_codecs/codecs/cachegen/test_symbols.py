from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.codecs.cachegen.symbols import (
    ESCAPE,
    kept,
    put_back,
    read_kept,
    to_numbers,
    to_symbols,
)
from cachemw_codecs.codecs.framing import Reader
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.errors import DamagedData
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = np.array([0, 1], np.int32)


def tables() -> FrequencyTables:
    """Table 0 codes everything, table 1 numbers from -2 to 2."""
    frequencies = np.zeros((2, 256), np.uint16)
    frequencies[0] = 16
    frequencies[1, 125:130] = 800
    frequencies[1, ESCAPE] = 96
    return FrequencyTables(frequencies)


def test_numbers_without_a_symbol_are_kept_as_they_are() -> None:
    numbers = np.array([[-127, -2], [127, 2], [128, 3], [-128, -3], [np.inf, -np.inf]], np.float32)
    symbols = to_symbols(numbers, COLUMNS, tables())
    assert symbols.dtype == np.uint8
    assert symbols.tolist() == [
        [0, 125], [254, 129], [ESCAPE, ESCAPE], [ESCAPE, ESCAPE], [ESCAPE, ESCAPE],
    ]  # fmt: skip


@given(st.lists(st.integers(-127, 127), min_size=1))
def test_numbers_come_back(values: list[int]) -> None:
    numbers = np.array(values, np.float32)[:, None]
    symbols = to_symbols(numbers, COLUMNS[:1], tables())
    assert (to_numbers(symbols) == numbers).all()


def test_what_was_kept_is_0_until_it_is_put_back() -> None:
    symbols = np.array([[ESCAPE, 127], [126, ESCAPE]], np.uint8)
    rows = to_numbers(symbols)
    assert rows.tolist() == [[0, 0], [-1, 0]]
    put_back(rows, symbols, np.array([7.5, -8], np.float32))
    assert rows.tolist() == [[7.5, 0], [-1, -8]]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_kept_values_are_written_little_endian_in_order(dtype: type[np.unsignedinteger]) -> None:
    symbols = np.array([[ESCAPE, 127], [126, ESCAPE]], np.uint8)
    bits = np.array([[0x0102, 3], [4, 0x0506]], dtype)
    data = kept(symbols, bits)
    size = bits.itemsize
    assert data[:2] == b"\x02\x01"
    assert len(data) == 2 * size
    assert read_kept(Reader(data), symbols, size).tolist() == [0x0102, 0x0506]


def test_too_few_kept_values_are_damage() -> None:
    symbols = np.array([[ESCAPE, ESCAPE]], np.uint8)
    with pytest.raises(DamagedData, match="kept values"):
        read_kept(Reader(b"\0\0\0"), symbols, 2)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_kept_value_that_is_not_finite_is_damage(wrong: float) -> None:
    symbols = np.array([[ESCAPE]], np.uint8)
    with pytest.raises(DamagedData, match="not finite"):
        put_back(np.zeros((1, 1), np.float32), symbols, np.array([wrong], np.float32))
