from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.transform.classes import ESCAPE, ROUNDING, ZERO
from cachemw_codecs.transform.quantise import MOST, dequantise, nearest, quantise
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

WIDE = np.arange(256) != ESCAPE
NARROW = np.abs(np.arange(256) - ZERO) <= 3
FINITE = st.floats(-1e6, 1e6, width=32) | st.floats(-4, 4, width=32)


@st.composite
def matrices(draw: st.DrawFn) -> NDArray[np.float32]:
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    return draw(arrays.arrays(np.float32, shape, elements=FINITE))


@given(y=matrices(), data=st.data())
def test_a_value_comes_back_within_its_cell(y: NDArray[np.float32], data: st.DataObject) -> None:
    columns = y.shape[1]
    wide = data.draw(arrays.arrays(bool, columns))
    offsets = data.draw(
        arrays.arrays(np.float32, columns, elements=st.floats(-0.125, 0.375, width=32))
    )
    codable = np.where(wide[:, None], WIDE, NARROW)

    coded = quantise(y, codable)

    assert coded.symbols.shape == y.shape
    listed = np.zeros(y.size, bool)
    listed[coded.places] = True
    assert (np.diff(coded.places) > 0).all()
    assert ((coded.symbols.ravel() == ESCAPE) == listed).all()
    told = np.take_along_axis(codable, coded.symbols.T, axis=1).T.ravel()
    assert (told | listed).all(), "a symbol that its table does not have"

    back = dequantise(coded.symbols, coded.places, coded.values, offsets)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(nearest(y, offsets), back)
    size = np.minimum(np.abs(y.astype(np.float64)), MOST)
    allowed = 1 - ROUNDING + np.maximum(offsets, 0) + 1e-2
    assert (np.abs(np.abs(back) - size) <= allowed).all()
    assert ((np.sign(back) == np.sign(y)) | (back == 0)).all()


def test_the_dead_zone_and_the_cells_behind_it() -> None:
    y = np.array([[0.0, -0.0, 0.59, -0.59, 0.61, -0.61, 1.59, 1.61]], np.float32)
    symbols = quantise(y, np.broadcast_to(WIDE, (8, 256))).symbols
    assert (symbols[0].astype(int) - ZERO).tolist() == [0, 0, 0, 0, 1, -1, 1, 2]


def test_what_the_table_lacks_stands_in_the_list() -> None:
    y = np.array([[3.0, 4.0], [-3.0, -4.0], [127.0, 127.0], [128.0, -128.0]], np.float32)
    coded = quantise(y, np.array([WIDE, NARROW]))
    assert coded.symbols.tolist() == [[131, 0], [125, 0], [255, 0], [0, 0]]
    assert coded.places.tolist() == [1, 3, 5, 6, 7]
    assert coded.values.tolist() == [4, -4, 127, 128, -128]


def test_values_too_far_out_are_brought_to_the_largest() -> None:
    y = np.array([[1e30, -np.inf, 32767.2, -40000.0]], np.float32)
    coded = quantise(y, np.broadcast_to(WIDE, (4, 256)))
    assert coded.values.tolist() == [MOST, -MOST, MOST, -MOST]
    back = dequantise(coded.symbols, coded.places, coded.values, np.zeros(4, np.float32))
    assert back.tolist() == [[MOST, -MOST, MOST, -MOST]]


@pytest.mark.parametrize("places", [[], [1], [0], [1, 1], [2, 1], [1, 2, 3]])
def test_places_that_do_not_stand_for_a_value_are_damage(places: list[int]) -> None:
    symbols = np.array([[ZERO, ESCAPE], [ESCAPE, ZERO]], np.uint8)
    values = np.full(len(places), 300, np.int16)
    with pytest.raises(DamagedData, match="escapes"):
        dequantise(symbols, np.array(places, np.int64), values, np.zeros(2, np.float32))


def test_dequantising_moves_toward_zero_by_the_columns_offset() -> None:
    symbols = np.array([[ZERO, ZERO + 2], [ZERO - 1, ESCAPE]], np.uint8)
    places, values = np.array([3]), np.array([-300], np.int16)
    back = dequantise(symbols, places, values, np.array([0.25, 0.125], np.float32))
    assert back.tolist() == [[0.0, 1.875], [-0.75, -299.875]]
    assert symbols.tolist() == [[ZERO, ZERO + 2], [ZERO - 1, ESCAPE]], "modified its argument"
