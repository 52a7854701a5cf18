"""Sizes at equal quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bits_at(loss: float, bits: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the bits at which a codec loses `loss`; None beyond what was measured.

    Between two levels the logarithm of the loss is taken to be a line in the bits: at these rates
    a bit more quarters it. `bits` falls and `losses` rises from level to level.
    """
    if not losses[0] <= loss <= losses[-1]:
        return None
    return float(np.interp(np.log(loss), np.log(losses), bits))


def loss_at(bit: float, bits: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return what a codec loses at `bit` bits a value; None beyond what was measured."""
    if not bits[-1] <= bit <= bits[0]:
        return None
    return float(np.exp(np.interp(bit, bits[::-1], np.log(losses)[::-1])))
