"""Between decoding and the inverse transform, where tokens are coded by the block.

A stream then has a row a block and BLOCK x width columns: its channels at frequency 0, then 1, ...
This brings it to what `transform.inverse` reads, a row a token and `width` columns. A kernel of its
own: 4 bytes of traffic and 16 multiplications a value, most of it within the L2 cache.
"""

from __future__ import annotations

from enum import IntEnum

from torch import Tensor

from cachemw_codecs.gpu import block_kernels as kernels


class Blocks(IntEnum):
    """Rows of the int64 tensor [4, streams] that says which streams are of blocks."""

    SOURCE = 0
    """Where its coefficients begin, in decoding order; a multiple of 32, as is the next."""
    ROWS = 1
    """How many blocks."""
    TARGET = 2
    """Where its tokens' values begin; whole groups of 32 tokens are written."""
    BASIS = 3


def unblock(
    coefficients: Tensor, blocks: Tensor, most: int, width: int, bases: Tensor, values: Tensor
) -> None:
    """Write token i of a block: the sum over f of basis[f, i] x coefficient f, to `values`.

    `coefficients`, `values`: float16. `bases`: float32 [n, BLOCK, BLOCK], a cosine transform with
    the steps of its frequencies multiplied in, scaled so that no sum overflows.
    `most`: blocks in any stream. What `blocks` says must lie within the buffers.
    """
    count, block = blocks.shape[1], bases.shape[1]
    if not count:
        return
    channels = 8
    grid = (-(-width // channels), -(-most // 32), count)
    kernels.unblock_kernel[grid](
        coefficients,
        blocks,
        bases,
        values,
        count,
        width,
        BLOCK=block,
        CHANNELS=channels,
        num_warps=4,
    )
