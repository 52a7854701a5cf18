from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.framing import (
    Reader,
    from_planes,
    from_words,
    to_planes,
    words,
)
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV
from hypothesis import given

from tests.codecs.cachemw_codecs.codecs.layers import any_layers, bits


@given(kv=any_layers())
def test_words_and_planes_keep_every_bit(kv: LayerKV) -> None:
    rows = words(kv.keys)
    assert torch.equal(bits(from_words(rows, kv.keys.dtype)), bits(kv.keys))
    planes = to_planes(rows)
    assert planes.dtype == np.uint8
    assert planes.shape == (kv.keys.dtype.itemsize, *kv.keys.shape)
    assert np.array_equal(from_planes(planes), rows)
    assert np.array_equal(from_planes(list(planes)), rows)


@pytest.mark.parametrize(
    ("dtype", "first", "second"),
    [
        # 1.5 = 1.1b x 2^0; biased exponents 127, 15, 127.
        (torch.bfloat16, [127, 127], [0b10000000, 0b10000001]),
        (torch.float16, [15 << 3 | 0b100, 15 << 3 | 0b100], [0, 1]),
        (torch.float32, [127, 127], [0b10000000, 0b10000000]),
    ],
)
def test_the_first_plane_is_the_exponent_and_the_last_bit_the_sign(
    dtype: torch.dtype, first: list[int], second: list[int]
) -> None:
    planes = to_planes(words(torch.tensor([1.5, -1.5], dtype=dtype)))
    assert planes[0].tolist() == first
    assert planes[1].tolist() == second
    assert (planes[-1] & 1).tolist() == [0, 1]


def test_a_reader_takes_exactly_what_is_there() -> None:
    reader = Reader(b"abcdef")
    assert reader.take(2, "head").tobytes() == b"ab"
    assert reader.left == 4
    with pytest.raises(DamagedData, match="body: 5 bytes expected, 4 left"):
        reader.take(5, "body")
    with pytest.raises(DamagedData, match="4 bytes too many"):
        reader.end()
    assert reader.take(4, "body").tobytes() == b"cdef"
    reader.end()


def test_a_number_has_eight_bytes_the_lowest_first() -> None:
    assert Reader(b"\1\2" + bytes(6)).number("length") == 513
    with pytest.raises(DamagedData, match="length"):
        Reader(b"\1\2" + bytes(5)).number("length")
