"""Coordinates in steps to symbols, in plain torch.

q = sign(y) floor(|y| + rounding), a dead zone where rounding < 1/2; symbol = q + 128, or 0 and an
escape where |q| is more than the column's table can say.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOST = 32767.0
"""Escapes are 16 bits: what is further away is brought there."""


def rounded(y: Tensor, rounding: float) -> Tensor:
    """Return q of `y`, in its place."""
    # Truncation is the floor of the absolute value; copysign keeps the sign apart.
    return y.add_(torch.copysign(y.new_tensor(rounding), y)).trunc_().clamp_(-MOST, MOST)


def symbols_of(q: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """Return symbols, uint8, and where escapes are, bool.

    `limits`: the largest |q| that has a symbol, 127 at most; broadcasts to `q`.
    """
    escapes = q.abs() > limits
    symbols = torch.where(escapes, 0, q + 128).to(torch.uint8)
    return symbols, escapes


def limits_of(codable: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the largest |q| up to which tables have all symbols, float32 [tables]; -1: none.

    `codable`: bool [tables, 256].
    """
    both = codable[:, 129:] & codable[:, 127:0:-1]
    limits = np.cumprod(both, axis=1).sum(axis=1)
    return np.where(codable[:, 128], limits, -1).astype(np.float32)
