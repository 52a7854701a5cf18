"""Sizes at equal quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtests.kv.quality.intervals import RESAMPLES, Interval


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


def ratio_at(
    bit: float,
    other: Sequence[float],
    bits: Sequence[float],
    losses: Sequence[Sequence[float]],
    rng: np.random.Generator,
) -> Interval | None:
    """Return a codec's loss at `bit`, by the loss of another that takes as much.

    `other`: the other's loss by window; `losses`: the codec's, by level and window. The interval
    is the percentile bootstrap over windows, the same ones of both.
    """
    ours, theirs = np.asarray(losses), np.asarray(other)
    whole = loss_at(bit, bits, list(ours.mean(axis=1)))
    if whole is None:
        return None
    drawn = rng.integers(len(theirs), size=(RESAMPLES, len(theirs)))
    means = ours[:, drawn].mean(axis=2).T
    ratios = [
        float(np.exp(np.interp(bit, bits[::-1], np.log(mean)[::-1]))) / theirs[windows].mean()
        for mean, windows in zip(means, drawn, strict=True)
    ]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Interval(whole / float(theirs.mean()), float(low), float(high))
