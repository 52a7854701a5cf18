"""Layers of KV for tests, and what codecs may do to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import DTYPES, LayerKV, LayerShape
from hypothesis import strategies as st
from torch import Tensor

Check = Callable[[Tensor, Tensor, str], None]
"""`check(original, decoded, level)`: asserts what the codec promises about a part."""


def bits(part: Tensor) -> Tensor:
    return part.contiguous().view(torch.uint8)


def exact(original: Tensor, decoded: Tensor, level: str) -> None:
    assert torch.equal(bits(original), bits(decoded))


def within(bound: Callable[[Tensor, str], Tensor]) -> Check:
    """Check `bound(original in float64, level)`, and beyond it one rounding to the dtype."""

    def check(original: Tensor, decoded: Tensor, level: str) -> None:
        was, info = original.double(), torch.finfo(original.dtype)
        allowed = bound(was, level)
        rounding = info.eps * (was.abs() + allowed) + info.smallest_normal * info.eps
        assert bool(((was - decoded.double()).abs() <= allowed + rounding).all())

    return check


def steps(part: Tensor, largest: float) -> Tensor:
    """Float64 [kv_heads, tokens, 1]: the largest steps that codecs with `largest` codes may use."""
    peaks = part.abs().amax(dim=-1, keepdim=True)
    # Rounded up to 8 bits of mantissa, or to the next bfloat16 above zero.
    return peaks / largest * (1 + 1 / 128) + (peaks > 0) * 2.0**-133


def _normal(shape: LayerShape, random: np.random.Generator) -> Tensor:
    size = (shape.kv_heads, shape.tokens, shape.head_dim)
    return torch.from_numpy(random.standard_normal(size))


def _channels(shape: LayerShape, random: np.random.Generator) -> Tensor:
    """Channels of very different means and widths, as keys have."""
    means = torch.from_numpy(random.standard_normal((shape.kv_heads, 1, shape.head_dim)))
    widths = torch.from_numpy(10.0 ** random.uniform(-3, 2, (shape.kv_heads, 1, shape.head_dim)))
    return (_normal(shape, random) + 8 * means) * widths


def _holes(shape: LayerShape, random: np.random.Generator) -> Tensor:
    """Whole rows of zero, and single zeros of both signs."""
    part = _normal(shape, random)
    part[torch.from_numpy(random.random(part.shape) < 0.3)] = 0
    part[torch.from_numpy(random.random(part.shape) < 0.2)] = -0.0
    part[torch.from_numpy(random.random(part.shape[:2]) < 0.5)] = 0
    return part


def _extremes(shape: LayerShape, random: np.random.Generator) -> Tensor:
    """Values at both ends of the dtype."""
    info = torch.finfo(shape.dtype)
    tiny = info.smallest_normal
    corners = torch.tensor(
        [info.max, info.min, tiny, tiny * info.eps, -tiny * info.eps, 0.0, -0.0, 1.0, -3.0],
        dtype=torch.float64,
    )
    size = (shape.kv_heads, shape.tokens, shape.head_dim)
    picked = corners[torch.from_numpy(random.integers(0, len(corners), size))]
    # Most rows without the largest, which hide all else.
    small = picked.abs() <= 3
    rows = torch.from_numpy(random.random(size[:2]) < 0.7).unsqueeze(-1)
    return torch.where(small | ~rows, picked, 0.0)


_KINDS = (_normal, _channels, _holes, _extremes)


@st.composite
def shapes(draw: st.DrawFn) -> LayerShape:
    return LayerShape(
        draw(st.integers(1, 3)),
        draw(st.integers(1, 70)),
        draw(st.sampled_from((1, 2, 3, 8, 16, 17))),
        draw(st.sampled_from(list(DTYPES.values()))),
    )


@st.composite
def finite_layers(draw: st.DrawFn) -> LayerKV:
    """Layers whose values are all finite, of many magnitudes."""
    shape = draw(shapes())
    kind = draw(st.sampled_from(_KINDS))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    keys, values = (kind(shape, random).to(shape.dtype) for _ in range(2))
    return LayerKV(keys, values)


@st.composite
def any_layers(draw: st.DrawFn) -> LayerKV:
    """Layers of any bits: NaN of every kind, infinities, denormal numbers."""
    if not draw(st.booleans()):
        return draw(finite_layers())
    shape = draw(shapes())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few distinct bit patterns, so that there is something to compress as well.
    alphabet = random.bytes(shape.dtype.itemsize * draw(st.sampled_from((1, 4, 64, 4096))))
    signed = torch.int16 if shape.dtype.itemsize == 2 else torch.int32
    patterns = torch.frombuffer(bytearray(alphabet), dtype=signed)
    size = (shape.kv_heads, shape.tokens, shape.head_dim)
    keys, values = (
        patterns[torch.from_numpy(random.integers(0, len(patterns), size))].view(shape.dtype)
        for _ in range(2)
    )
    return LayerKV(keys, values)


@st.composite
def damaged_copies(draw: st.DrawFn, payload: bytes) -> bytes:
    """Change some bytes, more often those in front, where tables stand."""
    last = len(payload) - 1
    places = st.one_of(st.integers(0, min(64, last)), st.integers(0, last))
    damaged = bytearray(payload)
    for place in draw(st.lists(places, min_size=1, max_size=8)):
        damaged[place] = draw(st.integers(0, 255))
    return bytes(damaged)


def check_refused_or_shaped(
    codec: Codec, layer: int, payload: bytes, shape: LayerShape, level: str
) -> None:
    try:
        decoded = codec.decode_layer(layer, payload, shape, level)
    except DamagedData:
        return
    assert decoded.shape == shape
