from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codecs.cachemw_codecs.codecs.layers import (
    bits,
    check_refused_or_shaped,
    damaged_copies,
)

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


def repeating(distinct: int, tokens: int) -> LayerKV:
    kv = layer()
    picked = torch.randint(distinct, (tokens,), generator=torch.Generator().manual_seed(2))
    return LayerKV(kv.keys[:, picked], kv.values[:, picked])


def test_a_token_that_comes_again_takes_two_bytes() -> None:
    few, many = (len(encoded(repeating(16, tokens))) for tokens in (256, 1256))
    assert many - few == 2 * 1000
    some = repeating(256, 256)
    rows = torch.cat([some.keys, some.values]).transpose(0, 1).reshape(256, -1)
    distinct = len(torch.unique(rows.view(torch.int16), dim=0))
    assert distinct < 200
    assert len(encoded(some)) < (distinct / 256 + 0.02) * len(encoded(layer()))


SHAPE = LayerShape(2, TOKENS, 64, torch.bfloat16)


@given(data=st.data())
@settings(max_examples=200)
def test_damaged_places_are_refused_or_give_the_right_shape(data: st.DataObject) -> None:
    shape = LayerShape(2, 40, 64, torch.bfloat16)
    payload = encoded(repeating(9, shape.tokens))
    assert payload[0] == 2
    damaged = data.draw(damaged_copies(payload))
    check_refused_or_shaped(Lossless(), 0, damaged, shape, "lossless")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((0, 3), "first byte: 3"),
        ((1, 0), "tokens that differ: 0 "),
        ((8, 1), "tokens that differ: "),
        ((9, 9), "places: token 9 of 9"),
        ((10, 1), "places: token 2.. of 9"),
    ],
)
def test_damage_is_named(change: tuple[int, int], message: str) -> None:
    payload = bytearray(encoded(repeating(9, TOKENS)))
    assert payload[1] == 9
    payload[change[0]] = change[1]
    with pytest.raises(DamagedData, match=message):
        Lossless().decode_layer(0, bytes(payload), SHAPE, "lossless")


def test_more_than_65_536_different_tokens() -> None:
    tokens = 2**16 + 2**15
    rows = torch.arange(tokens, dtype=torch.int32) % (2**16 + 5)
    keys = rows.view(torch.float32).reshape(1, -1, 1).expand(1, -1, 16).contiguous()
    assert encoded(LayerKV(keys, keys))[:9] == b"\2" + (2**16 + 5).to_bytes(8, "little")
