"""Synthetic KV of an 8B Llama's shape, its calibration and its tables.

Each head's values are Laplace coefficients of an orthonormal basis, with scales that fall
exponentially over the columns, as a PCA's do; one fixed step for all columns of a head, as reverse
water-filling has it. The scale of the first column is set so that a value costs what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from cachemw_codecs.gpu.layers import LayerModel
from cachemw_codecs.gpu.plan import Geometry
from cachemw_codecs.gpu.quantise import Forward
from cachemw_codecs.gpu.transform import Inverse
from numpy.typing import NDArray
from torch import Tensor

GEOMETRY = Geometry(kv_heads=8, head_dim=128, width=128, size=128)
TABLES = 64
ROUNDING = 0.4
"""Of a coefficient in steps: |q| = floor(|y| + 0.4)."""
TAIL = 2.0**-14
"""The share of a column's values that may escape."""
FALL = 4.0
"""Scales fall by e to this from the first column to the last."""

Scales = NDArray[np.float64]


def class_scales() -> Scales:
    """Laplace scales of the tables, in steps: from nothing but zeros to the whole range."""
    return np.geomspace(0.04, 25.0, TABLES)


def probabilities(scales: Scales) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of 256 symbols for each scale, [n, 256], and the largest |q| that has a symbol, [n]."""
    k = np.arange(128)
    low = np.where(k == 0, 0.0, k - ROUNDING)
    beyond = np.exp(-np.append(low, 128 - ROUNDING)[None, :] / scales[:, None])
    of_size = beyond[:, :-1] - beyond[:, 1:]
    limits = (beyond[:, 1:] > TAIL).sum(axis=1).clip(1, 127)
    weights = np.zeros((len(scales), SYMBOLS))
    said = np.where(k[None, :] <= limits[:, None], of_size, 0.0)
    weights[:, 128:] = said / np.where(k == 0, 1, 2)
    weights[:, 1:128] = weights[:, :128:-1]
    weights[:, 0] = np.maximum(1 - said.sum(axis=1), 1e-9)
    return weights, limits


def column_scales(first: float) -> Scales:
    """Scales of a head's columns, in steps."""
    width = GEOMETRY.width
    return first * np.exp(-FALL * np.arange(width) / (width - 1))


def bits_a_value(first: float) -> float:
    """Return what values with these scales cost with the best tables, on average."""
    weights, _ = probabilities(np.maximum(column_scales(first), 1e-3))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.nansum(weights * np.log2(weights)) / len(weights))


def first_scale(bits: float) -> float:
    """Return the first column's scale at which a value costs `bits`."""
    low, high = 0.01, 500.0
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if bits_a_value(middle) < bits else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class Model:
    """Calibration of a synthetic model; layers differ in their bases and scales."""

    tables: FrequencyTables
    forwards: list[Forward]
    layers: list[LayerModel]
    bases: Tensor
    means: Tensor
    steps: Tensor
    scales: list[Tensor]


def make_model(
    bits: float, layer_count: int, generator: torch.Generator, device: torch.device
) -> Model:
    """Draw a model of `layer_count` layers whose values cost about `bits` each."""
    weights, limits = probabilities(class_scales())
    count, size = GEOMETRY.transforms, GEOMETRY.size
    shape = (layer_count * count, size)
    noise = torch.randn(*shape, size, generator=generator)
    bases = torch.linalg.qr(noise.to(device)).Q
    means = torch.randn(*shape, generator=generator).to(device)
    first = first_scale(bits)
    spread = np.exp(np.linspace(-0.3, 0.3, layer_count * count))
    scales = np.stack([column_scales(first * s) for s in spread])
    classes = np.abs(np.log(scales)[:, :, None] - np.log(class_scales())[None, None, :]).argmin(
        axis=2
    )
    # Values have a spread of about 1 in each head.
    steps = 1 / np.sqrt(2 * (scales**2).mean(axis=1, keepdims=True)) * np.ones_like(scales)
    step = torch.from_numpy(steps).float().to(device)
    limit = torch.from_numpy(limits[classes].astype(np.float32)).to(device)
    columns = torch.from_numpy(classes.astype(np.int32)).to(device)
    offsets = torch.full(shape, 0.1, device=device)
    layers, forwards = [], []
    for layer in range(layer_count):
        part = slice(layer * count, (layer + 1) * count)
        matrices = (step[part, :, None] * bases[part]).half().contiguous()
        inverse = Inverse(matrices, offsets[part], means[part])
        layers.append(LayerModel(columns[part], inverse))
        forwards.append(Forward.of(bases[part], means[part], step[part], limit[part], ROUNDING))
    return Model(
        FrequencyTables(quantised(weights)),
        forwards,
        layers,
        bases,
        means,
        step,
        list(torch.split(torch.from_numpy(scales).float().to(device), count)),
    )


def draw_layer(model: Model, layer: int, tokens: int, generator: torch.Generator) -> Tensor:
    """Keys and values of one layer, bf16 [2, kv_heads, tokens, head_dim]."""
    count = GEOMETRY.transforms
    part = slice(layer * count, (layer + 1) * count)
    device = model.bases.device
    y = torch.empty(count, tokens, GEOMETRY.size, device=device).exponential_(generator=generator)
    sign = torch.empty_like(y).bernoulli_(generator=generator).mul_(2).sub_(1)
    y *= sign * (model.scales[layer] * model.steps[part])[:, None]
    x = torch.baddbmm(model.means[part, None], y, model.bases[part]).to(torch.bfloat16)
    return x.view(2, GEOMETRY.kv_heads, tokens, GEOMETRY.head_dim)
