"""The second half of decoding: int16 coefficients in decoding order to a layer's cache.

x = y @ M + mean, with y_j = sign(q_j) (|q_j| - offset_j) step_j and q = symbol - 128; the step is
part of M here. M is [G, G]: G is a head's dimension, or that of several heads transformed jointly.
A GEMM of its own rather than the tail of the rANS kernel: that one keeps a warp a stream and 40
registers, and what passes between the two, 2 bytes a value of one layer, stays in the L2 cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.gpu import transform_kernels as kernels


class Unit(IntEnum):
    """Rows of the int64 tensor [7, units] that says which tokens go through which matrix."""

    PLACE = 0
    """Where the symbols of the (first) stream begin."""
    PADDED = 1
    """The streams' tokens, rounded up to 32."""
    FIRST = 2
    """The first token within the stream, and how many."""
    TOKENS = 3
    COLUMN = 4
    """The first of G columns; those past a stream's width are in the streams that follow."""
    MATRIX = 5
    TARGET = 6
    """Where the first value goes in the cache, in elements."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """Inverse transforms of one size, on the device.

    `matrices`: [n, G, G], row j already times column j's step; float16 for speed (its error is
    an eighth of bfloat16's rounding of the result) or float32. `offsets`, how far toward zero
    values are reconstructed, in steps, and `means`: float32 [n, G].
    """

    matrices: Tensor
    offsets: Tensor
    means: Tensor

    def __post_init__(self) -> None:
        count, size, columns = self.matrices.shape
        if size != columns or size < 16 or size & (size - 1):
            raise InvalidInput(f"matrices: [{size}, {columns}] is not a power of two, squared")
        for name in ("offsets", "means"):
            if getattr(self, name).shape != (count, size):
                raise InvalidInput(f"{name}: expected [{count}, {size}]")
        for name in ("matrices", "offsets", "means"):
            # torch keeps the order of axes of what a tensor was made from; a QR's is reversed.
            if not getattr(self, name).is_contiguous():
                raise InvalidInput(f"{name}: not contiguous")

    @property
    def size(self) -> int:
        """G."""
        return int(self.matrices.shape[1])


def put_escapes(
    escapes: Tensor, streams: Tensor, width: int, quantised: Tensor, status: Tensor
) -> None:
    """Replace symbol 0 where `escapes`, int64 [3, n] of (stream, index, value), say so.

    An index counts along [tokens, width]. One that does not point at a symbol 0 of its stream
    changes nothing but the stream's status.
    """
    count = escapes.shape[1]
    if count:
        kernels.escape_kernel[(-(-count // 256),)](
            escapes, streams, quantised, status, streams.shape[1], count, width, BLOCK=256
        )


def inverse(
    quantised: Tensor, units: Tensor, longest: int, width: int, transform: Inverse, cache: Tensor
) -> None:
    """Write `units` to `cache`, contiguous [..., kv_heads, tokens, head_dim], in its dtype.

    `longest`: the most tokens of any stream. What `units` say must lie within the buffers.
    """
    size, head_dim = transform.size, cache.shape[-1]
    # A tile lies within one head.
    tokens, out = 64, min(head_dim, 128)
    count = units.shape[1]
    if not count:
        return
    grid = (-(-longest // tokens) * (size // out), count)
    kernels.inverse_kernel[grid](
        quantised,
        units,
        transform.matrices,
        transform.offsets,
        transform.means,
        cache,
        count,
        width,
        cache.shape[-2] * head_dim,
        G=size,
        HEAD_DIM=head_dim,
        TOKENS=tokens,
        OUT=out,
        IN=min(size, 64 if transform.matrices.dtype == torch.float16 else 32),
        num_warps=4,
        num_stages=2,
    )
