"""Synthetic KV of an 8B Llama's shape, its calibration and its tables.

A layer's keys, and its values, are Laplace coefficients of an orthonormal basis of all heads, with
scales that fall exponentially over the columns, as a PCA's do; one fixed step for all of them, as
reverse water-filling has it. The scale of the first column is set so that a value costs what is
asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from cachemw_codecs.gpu.layers import LayerModel
from cachemw_codecs.gpu.plan import Geometry
from cachemw_codecs.gpu.transform import Inverse
from numpy.typing import NDArray
from torch import Tensor

from loadtests.kv.speed.forward import Forward

GEOMETRY = Geometry(kv_heads=8, head_dim=128, width=128, size=1024)
TABLES = 64
ROUNDING = 0.4
"""Of a coefficient in steps: |q| = floor(|y| + 0.4)."""
OFFSET = 0.1
"""How far toward zero of |q| values are reconstructed."""
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
    """Scales of a layer's columns, in steps."""
    size = GEOMETRY.size
    return first * np.exp(-FALL * np.arange(size) / (size - 1))


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
    """Calibration of a synthetic model; layers differ in their bases and scales.

    `bases`: float32 [layers x 2, C, C], `scales`: [layers x 2, C] in steps, `steps`: [layers x 2];
    keys' and values' in turn.
    """

    tables: FrequencyTables
    offsets: NDArray[np.float32]
    forwards: list[Forward]
    layers: list[LayerModel]
    bases: Tensor
    means: Tensor
    steps: Tensor
    scales: Tensor

    def part(self, layer: int) -> slice:
        """Return the rows of a layer."""
        return slice(layer * GEOMETRY.transforms, (layer + 1) * GEOMETRY.transforms)


def make_model(
    bits: float, layer_count: int, generator: torch.Generator, device: torch.device
) -> Model:
    """Draw a model of `layer_count` layers whose values cost about `bits` each."""
    weights, limits = probabilities(class_scales())
    rows, size = layer_count * GEOMETRY.transforms, GEOMETRY.size
    bases = torch.stack(
        [
            torch.linalg.qr(torch.randn(size, size, generator=generator).to(device)).Q.contiguous()
            for _ in range(rows)
        ]
    )
    means = torch.randn(rows, size, generator=generator).to(device)
    spread = np.exp(np.linspace(-0.3, 0.3, rows))
    scales = np.stack([column_scales(first_scale(bits) * s) for s in spread])
    distance = np.log(scales)[:, :, None] - np.log(class_scales())[None, None, :]
    classes = np.abs(distance).argmin(axis=2)
    # Values have a spread of about 1.
    steps = torch.from_numpy(1 / np.sqrt(2 * (scales**2).mean(axis=1))).float().to(device)
    limit = torch.from_numpy(limits[classes].astype(np.float32)).to(device)
    columns = torch.from_numpy(classes.astype(np.int32)).to(device)
    layers, forwards = [], []
    for layer in range(layer_count):
        part = slice(layer * GEOMETRY.transforms, (layer + 1) * GEOMETRY.transforms)
        inverse = Inverse(bases[part].half(), steps[part], means[part])
        layers.append(LayerModel(columns[part].view(-1, GEOMETRY.width), inverse))
        all_steps = steps[part, None].expand(-1, size)
        forwards.append(Forward.of(bases[part], means[part], all_steps, limit[part], ROUNDING))
    return Model(
        FrequencyTables(quantised(weights)),
        np.full(TABLES, OFFSET, np.float32),
        forwards,
        layers,
        bases,
        means,
        steps,
        torch.from_numpy(scales).float().to(device),
    )


def draw_layer(model: Model, layer: int, tokens: int, generator: torch.Generator) -> Tensor:
    """Keys and values of one layer, bf16 [2, kv_heads, tokens, head_dim]."""
    part, device = model.part(layer), model.bases.device
    shape = (GEOMETRY.transforms, tokens, GEOMETRY.size)
    y = torch.empty(shape, device=device).exponential_(generator=generator)
    sign = torch.empty_like(y).bernoulli_(generator=generator).mul_(2).sub_(1)
    y *= sign * (model.scales[part] * model.steps[part, None])[:, None]
    x = torch.baddbmm(model.means[part, None], y, model.bases[part]).to(torch.bfloat16)
    heads = x.view(2, tokens, GEOMETRY.kv_heads, GEOMETRY.head_dim)
    return heads.transpose(1, 2).contiguous()
