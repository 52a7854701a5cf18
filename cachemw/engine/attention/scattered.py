"""Attention of scattered queries by a Triton kernel."""

from __future__ import annotations

import torch
import triton  # type: ignore[import-untyped,unused-ignore]
from torch import Tensor

from cachemw.engine.attention.base import Attention
from cachemw.engine.attention.scattered_kernels import scattered_kernel

_ROWS = 64
_COLUMNS = 32


class ScatteredAttention(Attention):
    """Flash attention whose tiles read keys only up to their last query's position.

    Rows of queries, keys and values are contiguous; heads and rows may be strided. Head
    dimensions of 16 to 256; float16 and float32 only: bfloat16 is not yet shown to be right.
    """

    name = "scattered"

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scale: float
    ) -> Tensor:
        """See `Attention`."""
        if queries.dtype not in {torch.float16, torch.float32}:
            raise TypeError(f"no kernel for {queries.dtype}")
        heads, count, dim = queries.shape
        out = torch.empty((count, heads * dim), dtype=values.dtype, device=values.device)
        scattered_kernel[triton.cdiv(count, _ROWS), heads](
            queries,
            keys,
            values,
            positions,
            out,
            count,
            heads // keys.shape[0],
            scale,
            *queries.stride()[:2],
            *keys.stride()[:2],
            *values.stride()[:2],
            out.stride(0),
            DIM=dim,
            PADDED=max(16, triton.next_power_of_2(dim)),
            ROWS=_ROWS,
            COLUMNS=_COLUMNS,
            PRECISION="ieee",
        )
        return out
