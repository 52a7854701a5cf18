"""A calibration file of the codec `transform` for an 8B Llama's shape, and KV that it fits.

Synthetic, as no such model is at hand: coordinates are Laplace, with scales that fall exponentially
over the columns and over the frequencies of sixteen tokens, where slow changes have ten times the
variance of fast ones. The bases are random and orthonormal. The scale of the first column is set so
that a value of the body costs what is asked at the level `medium`.
"""

from __future__ import annotations

import numpy as np
import torch
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform import classes
from cachemw_codecs.transform.blocks import BLOCK, cosines
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import BODY
from numpy.typing import NDArray

LEVEL = "medium"
LAPLACE = classes.SHAPES.index(1.0)
FALL = 4.0
"""Scales fall by e to this from the first column to the last."""
SLOW = 3.0
"""How much larger the scale of frequency 0 is than that of most."""
_LEVEL_SHIFTS = tuple(range(-12, 16, 4))
_ZONE_SHIFTS = (-8, -6, 0, 0, -2, -4, -6)

Scales = NDArray[np.float64]


def frequency_shifts() -> NDArray[np.int8]:
    """Return steps by frequency: a quarter for the mean of a block, which is worth it."""
    return np.asarray(np.rint(-8 * np.exp(-np.arange(BLOCK))), np.int8)


def deviations(first: float, channels: int) -> Scales:
    """Return standard deviations of coordinates in steps of shift 0, [16 frequencies, channels]."""
    column = np.exp(-FALL * np.arange(channels) / max(channels - 1, 1))
    frequency = 1 + (SLOW - 1) * np.exp(-np.arange(BLOCK))
    return np.asarray(first * frequency[:, None] * column)


def first_deviation(bits: float, channels: int) -> float:
    """Return the first column's scale at which a value costs `bits`."""
    frequencies = classes.tables().astype(np.float64) / 4096
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(frequencies * np.log2(frequencies), axis=1)
    low, high = 0.01, 500.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        scales = classes.nearest_scale(deviations(middle, channels))
        places = np.clip(scales - frequency_shifts()[:, None], 0, classes.SCALES - 1)
        costs = float(entropy[LAPLACE * classes.SCALES + places].mean())
        low, high = (middle, high) if costs < bits else (low, middle)
    return low


def make_tables(
    layers: int,
    bits: float,
    generator: torch.Generator,
    device: torch.device,
    heads: tuple[int, int] = (8, 128),
) -> TransformTables:
    """Draw a calibration file; `heads`: kv_heads and head_dim. Bases are made on `device`."""
    channels = heads[0] * heads[1]
    of_blocks = deviations(first_deviation(bits, channels), channels)
    of_tokens = np.sqrt((of_blocks**2).mean(axis=0, keepdims=True))
    scales = classes.nearest_scale(np.concatenate([of_tokens, of_blocks]))
    # Values have a spread of about 1.
    step = 1 / float(np.sqrt((of_blocks**2).mean()))
    bases = [
        (step * torch.linalg.qr(torch.randn(channels, channels, generator=generator).to(device)).Q)
        .half()
        .cpu()
        .numpy()
        for _ in range(2 * layers)
    ]
    means = torch.randn(2, layers, 2, channels, generator=generator).numpy()
    each = (layers, 2)
    return TransformTables(
        synthesis=np.stack(bases).reshape(*each, channels, channels),
        means=means,
        scales=np.broadcast_to(np.clip(scales, -128, 127), (*each, *scales.shape)).astype(np.int8),
        shapes=np.full((*each, channels), LAPLACE, np.uint8),
        frequency_shifts=np.broadcast_to(frequency_shifts(), (*each, BLOCK)).copy(),
        frequencies=classes.tables(),
        offsets=classes.offsets(),
        level_shifts=np.array(_LEVEL_SHIFTS, np.int32),
        zone_shifts=np.array(_ZONE_SHIFTS, np.int32),
        kv_heads=heads[0],
    )


def draw(tables: TransformTables, layer: int, tokens: int, generator: torch.Generator) -> LayerKV:
    """Draw keys and values of a layer as its tables have them, bf16, where `generator` is.

    `tokens`: a multiple of 16, as chunks' sizes must be for their blocks to be those drawn here.
    """
    device = generator.device
    scales = tables.scales[layer, :, 1:].astype(np.float64)
    spread = np.exp2(scales / classes.STEPS_PER_OCTAVE) * classes.deviation(0)
    shape = (2, tokens // BLOCK, BLOCK, tables.channels)
    y = torch.empty(shape, device=device).exponential_(generator=generator)
    y *= torch.empty_like(y).bernoulli_(generator=generator).mul_(2).sub_(1)
    # A Laplace of scale 1 has a variance of 2.
    y *= torch.from_numpy((spread / np.sqrt(2)).astype(np.float32)).to(device)[:, None]
    rows = torch.matmul(torch.from_numpy(cosines().T.copy()).to(device), y).view(2, tokens, -1)
    synthesis = torch.from_numpy(tables.synthesis[layer]).to(device).float()
    means = torch.from_numpy(tables.means[0, layer]).to(device)
    x = torch.baddbmm(means[:, None], rows, synthesis).to(torch.bfloat16)
    keys, values = x.view(2, tokens, tables.kv_heads, -1).transpose(1, 2).contiguous()
    return LayerKV(keys, values)


def level() -> int:
    """Return the place of `LEVEL` in the ladder."""
    return LADDER.index(LEVEL)


def body_bits(tables: TransformTables) -> float:
    """Return what a value of the first layer's body costs by its tables, on average."""
    chosen = tables.classes(0, 0, level(), BODY)
    f = tables.frequencies[chosen].astype(np.float64) / 4096
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.nansum(f * np.log2(f), axis=2).mean())
