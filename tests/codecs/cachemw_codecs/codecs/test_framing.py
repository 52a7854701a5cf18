from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.framing import (
    Reader,
    byte_planes,
    from_byte_planes,
    from_words,
    words,
)
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV
from hypothesis import given

from tests.codecs.cachemw_codecs.codecs.layers import any_layers, bits


@given(kv=any_layers())
def test_words_and_planes_keep_every_bit(kv: LayerKV) -> None:
    assert torch.equal(bits(from_words(words(kv.keys), kv.shape)), bits(kv.keys))
    planes = byte_planes(kv)
    assert planes.dtype == np.uint8
    assert planes.shape == (kv.shape.dtype.itemsize, 2 * kv.keys.numel())
    back = from_byte_planes(planes, kv.shape)
    assert torch.equal(bits(back.keys), bits(kv.keys))
    assert torch.equal(bits(back.values), bits(kv.values))


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
    kv = LayerKV(torch.full((1, 1, 1), 1.5, dtype=dtype), torch.full((1, 1, 1), -1.5, dtype=dtype))
    planes = byte_planes(kv)
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
