"""Keys and values to symbols on the GPU: the encoder's first half, in plain torch.

y = (x - mean) @ F with column j of F divided by its step; q = sign(y) floor(|y| + rounding), a dead
zone where rounding < 1/2; symbol = q + 128, or 0 and an escape where |q| is more than the column's
table can say.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Forward:
    """Transforms [n, G, G] with steps divided out, `shifts` [n, 1, G] = -mean @ F; float32.

    `limits`: float32 [n, 1, G], the largest |q| that has a symbol, 127 at most.
    """

    matrices: Tensor
    shifts: Tensor
    limits: Tensor
    rounding: float

    @classmethod
    def of(
        cls, basis: Tensor, means: Tensor, steps: Tensor, limits: Tensor, rounding: float
    ) -> Forward:
        """From orthonormal `basis` [n, G, G] (x = y @ basis); `means`, `steps`, `limits` [n, G]."""
        matrices = basis.transpose(1, 2) / steps[:, None, :]
        shifts = -torch.bmm(means[:, None, :], matrices)
        return cls(matrices, shifts, limits[:, None, :], rounding)


def quantise(values: Tensor, forward: Forward) -> tuple[Tensor, Tensor, Tensor]:
    """Quantise `values`, [n, tokens, G]; transform i is for values[i].

    Returns uint8 symbols [n, tokens, G], and where the escapes are: flat indices and int16 values.
    Waits for the device to learn how many there are.
    """
    y = torch.baddbmm(forward.shifts, values.to(forward.matrices.dtype), forward.matrices)
    # Truncation is the floor of the absolute value; copysign keeps the sign apart.
    q = y.add_(torch.copysign(y.new_tensor(forward.rounding), y)).trunc_()
    outside = torch.nonzero((q.abs() > forward.limits).flatten()).flatten()
    escaped = q.flatten()[outside].clamp(-32768, 32767).to(torch.int16)
    symbols = (q + 128).clamp_(0, 255).to(torch.uint8)
    symbols.view(-1)[outside] = 0
    return symbols, outside, escaped
