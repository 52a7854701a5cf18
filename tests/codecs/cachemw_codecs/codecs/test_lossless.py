from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

from tests.codecs.cachemw_codecs.codecs.layers import bits

TOKENS = 256


def layer(dtype: torch.dtype = torch.bfloat16, mean: float = 0.0) -> LayerKV:
    random = torch.Generator().manual_seed(11)
    widths = 10 ** torch.randn((2, 2, 1, 64), generator=random)
    keys, values = (mean + torch.randn((2, 2, TOKENS, 64), generator=random)) * widths
    return LayerKV(keys.to(dtype), values.to(dtype))


def encoded(kv: LayerKV) -> bytes:
    payload = Lossless().encode_layer(0, kv, "lossless")
    back = Lossless().decode_layer(0, payload, kv.shape, "lossless")
    assert torch.equal(bits(back.keys), bits(kv.keys))
    assert torch.equal(bits(back.values), bits(kv.values))
    return payload


def test_exponents_of_normal_values_cost_what_their_entropy_is() -> None:
    kv = layer()
    # Of a normal distribution's exponent: 2.55 bits with channels' widths known, 8 for the rest.
    assert 10.5 / 16 < len(encoded(kv)) / kv.shape.nbytes < 10.9 / 16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_smaller_than_zstd_of_the_same_planes(dtype: torch.dtype) -> None:
    kv = layer(dtype)
    assert len(encoded(kv)) < 0.98 * len(Zstd(9).encode_layer(0, kv, "lossless"))


def test_signs_that_repeat_are_not_paid_for() -> None:
    # Three widths away from zero: one sign in 700 is another, and an exponent takes 1.1 bits.
    either, one = len(encoded(layer())), len(encoded(layer(mean=3.0)))
    assert either - one > 1.9 / 16 * layer().shape.nbytes


def test_noise_grows_by_one_byte_only() -> None:
    random = np.random.default_rng(5)
    for tokens in (1, 3, TOKENS):
        noise = torch.from_numpy(random.integers(-(2**15), 2**15, (2, 1, tokens, 8), np.int16))
        keys, values = noise.view(torch.bfloat16)
        kv = LayerKV(keys, values)
        assert encoded(kv) == b"\0" + Raw().encode_layer(0, kv, "raw")


def test_an_empty_layer_is_next_to_nothing() -> None:
    zeros = torch.zeros((2, TOKENS, 64), dtype=torch.bfloat16)
    # The mantissas of columns with one sign are coded together with it, at 7 bits.
    assert len(encoded(LayerKV(zeros, zeros))) < 0.5 * layer().shape.nbytes


SHAPE = LayerShape(2, TOKENS, 64, torch.bfloat16)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 2, "first byte"),
        (1, 0, "tables"),
        (1, 9, "tables"),
        (2, 255, "table"),
    ],
)
def test_damage_is_named(place: int, value: int, message: str) -> None:
    payload = bytearray(encoded(layer()))
    payload[place] = value
    with pytest.raises(DamagedData, match=message):
        Lossless().decode_layer(0, bytes(payload), SHAPE, "lossless")


def test_a_table_that_is_not_there_is_refused() -> None:
    zeros = torch.zeros((1, TOKENS, 8), dtype=torch.bfloat16)
    payload = bytearray(encoded(LayerKV(zeros, zeros)))
    # One table of one symbol: 1 + 1 + 4 bytes, then 16 peaks, then the kinds.
    assert payload[1] == 1
    payload[6 + 16] |= 1
    with pytest.raises(DamagedData, match="wants table 1 of 1"):
        Lossless().decode_layer(
            0, bytes(payload), LayerShape(1, TOKENS, 8, torch.bfloat16), "lossless"
        )
