"""The second half of decoding: values in steps, in decoding order, to a layer's cache.

x = step (y @ M) + mean, where the decoder has written y_j = sign(q_j) (|q_j| - offset_j), with q =
symbol - 128, as float16. M is [G, G]: G is a head's dimension, or that of several heads together.

A GEMM of its own rather than the tail of the rANS kernel: that one keeps a warp a stream and few
registers, each of its streams has but a part of a joint transform's columns, and what passes
between the two, 2 bytes a value of one layer, stays in the L2 cache. By count, for an 8B model's
8192 tokens: at worst 0.5 ms of device memory; with G = 1024, 1.1 x 10^15 operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.gpu import transform_kernels as kernels
from cachemw_codecs.gpu.coder import LANES


class Unit(IntEnum):
    """Rows of the int64 tensor [8, units] that says which tokens go through which matrix."""

    PLACE = 0
    """Where the values of the (first) stream begin."""
    PADDED = 1
    """The streams' tokens, rounded up to 32."""
    FIRST = 2
    """The first token within the stream, and how many."""
    TOKENS = 3
    COLUMN = 4
    """The first of G columns; those past a stream's width are in the streams that follow."""
    MATRIX = 5
    ROW = 6
    """Of `steps` and `means`."""
    TARGET = 7
    """Where the first value goes in the cache, in elements."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """Inverse transforms of one size, on the device.

    `matrices`: [m, G, G]; float16 for speed (its error is an eighth of bfloat16's rounding of the
    result) or float32. `steps`: float32 [n], `means`: float32 [n, G]: several rows may share a
    matrix, as settings do, n is a multiple of m.
    """

    matrices: Tensor
    steps: Tensor
    means: Tensor

    def __post_init__(self) -> None:
        count, size, columns = self.matrices.shape
        if size != columns or size % 16:
            raise InvalidInput(f"matrices: [{size}, {columns}] is not a multiple of 16, squared")
        rows = len(self.steps)
        if not count or rows % count:
            raise InvalidInput(f"steps: {rows} are not a multiple of {count} matrices")
        if self.steps.shape != (rows,) or self.means.shape != (rows, size):
            raise InvalidInput(f"steps, means: expected [{rows}] and [{rows}, {size}]")
        for name in ("matrices", "steps", "means"):
            # torch keeps the order of axes of what a tensor was made from; a QR's is reversed.
            if not getattr(self, name).is_contiguous():
                raise InvalidInput(f"{name}: not contiguous")
        if self.steps.dtype != torch.float32 or self.means.dtype != torch.float32:
            raise InvalidInput("steps, means: expected float32")

    @property
    def size(self) -> int:
        """G."""
        return int(self.matrices.shape[1])


def put_escapes(
    escapes: Tensor,
    streams: Tensor,
    columns: Tensor,
    offsets: Tensor,
    values: Tensor,
    status: Tensor,
) -> None:
    """Replace symbol 0 where `escapes`, int64 [3, n] of (stream, index, value), say so.

    An index counts along [tokens, width]. One that does not point at a symbol 0 of its stream
    changes nothing but the stream's status.
    """
    count = escapes.shape[1]
    if count:
        kernels.escape_kernel[(-(-count // 256),)](
            escapes,
            streams,
            columns,
            offsets,
            values,
            status,
            streams.shape[1],
            count,
            columns.shape[1],
            BLOCK=256,
        )


def inverse(
    values: Tensor, units: Tensor, longest: int, width: int, transform: Inverse, cache: Tensor
) -> None:
    """Write `units` to `cache`, contiguous [..., kv_heads, tokens, head_dim], in its dtype.

    What is too large for the dtype becomes its largest value. `longest`: the most tokens of any
    stream. What `units` say must lie within the buffers. The head's dimension must be a multiple
    of 16.
    """
    size, head_dim = transform.size, cache.shape[-1]
    count = units.shape[1]
    if not count:
        return
    half = transform.matrices.dtype == torch.float16
    # Larger tiles where a value is read once for each of several tiles, small ones for the few
    # tokens beside blocks. A tile lies in one head.
    large = half and size > 128 and longest > LANES
    tokens = 128 if large else min(64, longest)
    out = _power_of_two(head_dim, 128)
    grid = (-(-longest // tokens) * (size // out), count)
    kernels.inverse_kernel[grid](
        values,
        units,
        transform.matrices,
        transform.steps,
        transform.means,
        cache,
        count,
        width,
        cache.shape[-2] * head_dim,
        torch.finfo(cache.dtype).max,
        G=size,
        HEAD_DIM=head_dim,
        TOKENS=tokens,
        OUT=out,
        IN=_power_of_two(size, 64 if half else 32),
        num_warps=8 if large else 4,
        num_stages=3 if large else 2,
    )


def _power_of_two(number: int, most: int) -> int:
    """Return the largest that divides `number`, `most` at most."""
    return min(number & -number, most)
