"""Attention with an explicit mask: what every device can do."""

from __future__ import annotations

import torch
from torch import Tensor

from cachemw.engine.attention.base import Attention

_SCORES = 1 << 24
"""Scores held at once: heads x queries x keys."""


class MaskedAttention(Attention):
    """torch's scaled dot product with a mask written out, some queries at a time.

    Queries are ascending, so that a block of them reads only the keys up to its last one.
    """

    name = "masked"

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scale: float
    ) -> Tensor:
        """See `Attention`."""
        heads, count, dim = queries.shape
        rows = max(1, _SCORES // (heads * keys.shape[1]))
        blocks = []
        for start in range(0, count, rows):
            at = positions[start : start + rows]
            seen = int(at[-1]) + 1
            mask = torch.arange(seen, device=at.device)[None] <= at[:, None]
            blocks.append(
                torch.nn.functional.scaled_dot_product_attention(
                    queries[None, :, start : start + rows],
                    keys[None, :, :seen],
                    values[None, :, :seen],
                    attn_mask=mask,
                    scale=scale,
                    enable_gqa=True,
                )[0]
            )
        attended = blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=1)
        return attended.transpose(0, 1).reshape(count, heads * dim)
