"""The encoder's first half for the synthetic codec: one transform, one step a column."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from cachemw_codecs.gpu.quantise import rounded, symbols_of
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
    q = rounded(y, forward.rounding)
    symbols, escapes = symbols_of(q, forward.limits)
    outside = torch.nonzero(escapes.flatten()).flatten()
    return symbols, outside, q.flatten()[outside].to(torch.int16)
