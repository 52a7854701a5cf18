"""What holds for every codec. A new one is a line in `CASES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from cachemw_codecs.codecs.base import LADDER, Codec
from cachemw_codecs.codecs.fp8 import Fp8
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.errors import DamagedData, InvalidInput, UnsupportedFormat
from cachemw_codecs.kv import LayerKV, LayerShape
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codecs.cachemw_codecs.codecs.layers import (
    Check,
    any_layers,
    bits,
    check_refused_or_shaped,
    damaged_copies,
    exact,
    finite_layers,
    steps,
    within,
)
from tests.codecs.cachemw_codecs.transform.bounds import check_error
from tests.codecs.cachemw_codecs.transform.samples import small_tables

LAYER = 1


@dataclass(frozen=True)
class Case:
    """A codec that can encode layer `LAYER` of a shape, and what it promises at each level."""

    make: Callable[[LayerShape], Codec]
    check: Check
    lossless: tuple[str, ...] = ()


def _fp8(part: torch.Tensor, level: str) -> torch.Tensor:
    largest, relative, smallest = {
        "e4m3": (448, 2**-4, 2**-9),
        "e5m2": (57344, 2**-3, 2**-16),
    }[level]
    return part.abs() * relative + steps(part, largest) * smallest / 2


def _zstd(original: torch.Tensor, decoded: torch.Tensor, level: str) -> None:
    if level == "lossless":
        exact(original, decoded, level)
    else:
        largest = 2 ** (7 - LADDER.index(level)) - 1
        within(lambda part, _: steps(part, largest) / 2)(original, decoded, level)


def _transform(original: torch.Tensor, decoded: torch.Tensor, level: str) -> None:
    tables = small_tables(original.shape[0], original.shape[2], alike=True)
    check_error(tables, (LAYER, 0, LADDER.index(level)), original, decoded)


CASES = {
    "raw": Case(lambda _: Raw(), exact, Raw.levels),
    "lossless": Case(lambda _: Lossless(), exact, Lossless.levels),
    "int8": Case(lambda _: Int8(), within(lambda part, _: steps(part, 127) / 2)),
    "fp8": Case(lambda _: Fp8(), within(_fp8)),
    "zstd": Case(lambda _: Zstd(), _zstd, ("lossless",)),
    "transform": Case(
        lambda shape: Transform(small_tables(shape.kv_heads, shape.head_dim, alike=True)),
        _transform,
    ),
}

SMALL = LayerShape(2, 40, 8, torch.bfloat16)


def small_layer() -> LayerKV:
    random = torch.Generator().manual_seed(7)
    size = (2, SMALL.kv_heads, SMALL.tokens, SMALL.head_dim)
    keys, values = torch.randn(size, generator=random).to(SMALL.dtype)
    return LayerKV(keys, values)


def small_payload(name: str, level: str) -> tuple[Codec, bytes]:
    codec = CASES[name].make(SMALL)
    return codec, codec.encode_layer(LAYER, small_layer(), level)


def every_level(*, lossless: bool | None = None) -> list[tuple[str, str]]:
    return [
        (name, level)
        for name, case in CASES.items()
        for level in case.make(SMALL).levels
        if lossless is None or lossless == (level in case.lossless)
    ]


@pytest.mark.parametrize(("name", "level"), every_level(lossless=False))
@given(kv=finite_layers())
@settings(max_examples=60)
def test_a_layer_comes_back_as_the_level_promises(name: str, level: str, kv: LayerKV) -> None:
    check_round_trip(CASES[name], level, kv)


@pytest.mark.parametrize(("name", "level"), every_level(lossless=True))
@given(kv=any_layers())
def test_a_lossless_level_keeps_every_bit(name: str, level: str, kv: LayerKV) -> None:
    check_round_trip(CASES[name], level, kv)


def check_round_trip(case: Case, level: str, kv: LayerKV) -> None:
    codec = case.make(kv.shape)
    before = LayerKV(kv.keys.clone(), kv.values.clone())

    payload = codec.encode_layer(LAYER, kv, level)

    assert torch.equal(bits(kv.keys), bits(before.keys)), "encoding modified the keys"
    assert torch.equal(bits(kv.values), bits(before.values)), "encoding modified the values"
    assert case.make(kv.shape).encode_layer(LAYER, kv, level) == payload, "not deterministic"

    decoded = codec.decode_layer(LAYER, payload, kv.shape, level)

    assert decoded.shape == kv.shape
    for original, part in ((kv.keys, decoded.keys), (kv.values, decoded.values)):
        assert part.is_contiguous()
        assert part.dtype == kv.shape.dtype
        case.check(original, part, level)
        part.add_(0)  # the tensors are the caller's: writable, and no warning about it
    if level not in case.lossless:
        assert bool(torch.isfinite(decoded.keys).all() & torch.isfinite(decoded.values).all())


@pytest.mark.parametrize(("name", "level"), every_level())
def test_the_layout_in_memory_does_not_matter(name: str, level: str) -> None:
    codec, kv = CASES[name].make(SMALL), small_layer()
    turned = LayerKV(
        kv.keys.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_(),
        kv.values.transpose(1, 2).contiguous().transpose(1, 2),
    )
    assert codec.encode_layer(LAYER, turned, level) == codec.encode_layer(LAYER, kv, level)


@pytest.mark.parametrize(("name", "level"), every_level(lossless=False))
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["keys", "values"])
def test_a_lossy_level_refuses_what_is_not_finite(
    name: str, level: str, wrong: float, part: str
) -> None:
    kv = small_layer()
    getattr(kv, part)[1, 5, 3] = wrong
    with pytest.raises(InvalidInput, match=part):
        CASES[name].make(SMALL).encode_layer(LAYER, kv, level)


@pytest.mark.parametrize("name", CASES)
def test_keys_and_values_must_fit_together(name: str) -> None:
    kv, codec = small_layer(), CASES[name].make(SMALL)
    with pytest.raises(InvalidInput, match="values"):
        codec.encode_layer(LAYER, LayerKV(kv.keys, kv.values[:, 1:]), codec.levels[0])


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_level_is_refused(name: str) -> None:
    codec = CASES[name].make(SMALL)
    with pytest.raises(UnsupportedFormat, match="roughly"):
        codec.encode_layer(LAYER, small_layer(), "roughly")
    with pytest.raises(UnsupportedFormat, match="roughly"):
        codec.decode_layer(LAYER, b"", SMALL, "roughly")


@pytest.mark.parametrize(("name", "level"), every_level())
def test_a_payload_has_exactly_its_length(name: str, level: str) -> None:
    codec, payload = small_payload(name, level)
    shorter = (b"", payload[:1], payload[: len(payload) // 2], payload[:-2], payload[:-1])
    for wrong in (*shorter, payload + b"\0", payload + b"\0\0", payload + payload):
        with pytest.raises(DamagedData):
            codec.decode_layer(LAYER, wrong, SMALL, level)


@pytest.mark.parametrize(("name", "level"), every_level())
@given(data=st.data())
@settings(max_examples=60)
def test_damaged_bytes_are_refused_or_give_the_right_shape(
    name: str, level: str, data: st.DataObject
) -> None:
    codec, payload = small_payload(name, level)
    damaged = data.draw(damaged_copies(payload))
    check_refused_or_shaped(codec, LAYER, damaged, SMALL, level)


@pytest.mark.parametrize(("name", "level"), every_level())
@given(junk=st.binary(max_size=400))
@settings(max_examples=30)
def test_junk_is_refused_or_gives_the_right_shape(name: str, level: str, junk: bytes) -> None:
    check_refused_or_shaped(CASES[name].make(SMALL), LAYER, junk, SMALL, level)


@pytest.mark.parametrize(("name", "level"), every_level())
def test_a_payload_of_another_shape_is_refused_or_gives_the_right_shape(
    name: str, level: str
) -> None:
    codec, payload = small_payload(name, level)
    for shape in (
        LayerShape(SMALL.kv_heads, SMALL.tokens + 1, SMALL.head_dim, SMALL.dtype),
        LayerShape(SMALL.kv_heads, SMALL.tokens - 33, SMALL.head_dim, SMALL.dtype),
        LayerShape(SMALL.kv_heads, SMALL.tokens, SMALL.head_dim, torch.float32),
    ):
        check_refused_or_shaped(codec, LAYER, payload, shape, level)
