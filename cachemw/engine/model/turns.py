"""The rotary embedding at given positions, made once and used by all layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from cachemw_codecs.hf.rotary import Rotary
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Turns:
    """Cosines and sines, [tokens, pairs] float32, unscaled; `scaling` comes once, before the cast.

    Only channels (j, pairs + j) are paired, as in the models that `support` admits.
    """

    cos: Tensor
    sin: Tensor
    scaling: float

    @classmethod
    def at(cls, rotary: Rotary, positions: Tensor) -> Turns:
        """For `positions`, int64 [tokens], on their device."""
        inv_freq = rotary.inv_freq.to(positions.device)
        angles = positions.to(torch.float32)[:, None] * inv_freq
        return cls(angles.cos(), angles.sin(), rotary.scaling)

    def of(self, rows: slice | Tensor) -> Turns:
        """Return those of some of the tokens."""
        return Turns(self.cos[rows], self.sin[rows], self.scaling)

    def turn(self, x: Tensor) -> Tensor:
        """[heads, tokens, head_dim] -> the same, turned in float32 and cast back once."""
        pairs = self.cos.shape[-1]
        wide = x.float()
        a, b, passed = wide[..., :pairs], wide[..., pairs : 2 * pairs], wide[..., 2 * pairs :]
        turned = (
            (a * self.cos - b * self.sin) * self.scaling,
            (b * self.cos + a * self.sin) * self.scaling,
            passed,
        )
        return torch.cat(turned, dim=-1).to(x.dtype)
