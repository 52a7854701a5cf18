"""Calibration files and KV without a model, made in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform import classes
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import pieces
from numpy.typing import NDArray
from scipy.fft import idct  # type: ignore[import-untyped]

Coder = tuple[NDArray[np.uint16], NDArray[np.float32]]
LAYERS = 2
LEVEL_SHIFTS = (-14, -10, -6, -2, 2, 6, 12)
ZONE_SHIFTS = (-9, -6, 0, 0, -2, -4, -7)


@cache
def parametric() -> Coder:
    """Return what calibration makes: frequencies and offsets."""
    return classes.tables(), classes.offsets()


@cache
def plain() -> Coder:
    """Return frequencies and offsets that are made of integers, the same on every machine."""
    away = np.abs(np.arange(256) - classes.ZERO)
    rows = []
    for number in range(classes.CLASSES):
        row = np.maximum(200 // (1 + away * (1 + number % 7)), 1)
        row[classes.ZERO] += 4096 - row.sum()
        rows.append(row)
    offsets = np.arange(classes.CLASSES) % 5 / np.float32(16)
    return np.array(rows, np.uint16), offsets.astype(np.float32)


def orthogonal(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    q, _ = np.linalg.qr(random.standard_normal((size, size)))
    return np.asarray(q)


@cache
def small_tables(
    kv_heads: int = 2,
    head_dim: int = 8,
    *,
    layers: int = LAYERS,
    alike: bool = False,
    coder: Callable[[], Coder] = parametric,
) -> TransformTables:
    """Return tables of orthogonal coordinates, of widths from 3 down to 0.1.

    `alike`: values are coded as keys are. `coder`: `parametric` or `plain`.
    """
    channels = kv_heads * head_dim
    random = np.random.default_rng(channels)
    widths = np.geomspace(3, 0.1, channels)
    bases = [[widths[:, None] * orthogonal(random, channels) for _ in "kv"] for _ in range(layers)]
    frequencies, offsets = coder()
    made: dict[str, Any] = {
        "synthesis": np.array(bases, np.float16),
        "means": random.normal(0, 2, (2, layers, 2, channels)).astype(np.float32),
        "scales": random.integers(12, 24, (layers, 2, 1 + BLOCK, channels)).astype(np.int8),
        "shapes": random.integers(0, len(classes.SHAPES), (layers, 2, channels)).astype(np.uint8),
        "frequency_shifts": random.integers(-4, 5, (layers, 2, BLOCK)).astype(np.int8),
    }
    if alike:
        for name, array in made.items():
            of_values = (slice(None),) * (2 if name == "means" else 1)
            array[(*of_values, 1)] = array[(*of_values, 0)]
    return TransformTables(
        **made,
        frequencies=frequencies,
        offsets=offsets,
        level_shifts=np.array(LEVEL_SHIFTS, np.int32),
        zone_shifts=np.array(ZONE_SHIFTS, np.int32),
        kv_heads=kv_heads,
    )


def text(
    tables: TransformTables, layer: int, tokens: int, seed: int, dtype: torch.dtype = torch.bfloat16
) -> LayerKV:
    """Return a layer that varies as the tables' basis says, slowly more than fast."""
    random = np.random.default_rng(seed)
    parts = []
    for kind in range(2):
        y = random.laplace(0, 0.5, (tokens, tables.channels))
        y += np.repeat(random.laplace(0, 0.5, (-(-tokens // 8), tables.channels)), 8, 0)[:tokens]
        x = y @ tables.synthesis[layer, kind].astype(np.float64) + tables.means[0, layer, kind]
        by_head = x.reshape(tokens, tables.kv_heads, -1).transpose(1, 0, 2)
        parts.append(torch.from_numpy(np.ascontiguousarray(by_head)).to(dtype))
    return LayerKV(*parts)


def all_of_integers() -> TransformTables:
    """Return tables whose coding depends on no library's random numbers or arithmetic."""
    tables = small_tables(coder=plain)
    scales, shapes, frequencies = (
        np.arange(array.size).reshape(array.shape)
        for array in (tables.scales, tables.shapes, tables.frequency_shifts)
    )
    return replace(
        tables,
        scales=(scales % 29 - 3).astype(np.int8),
        shapes=(shapes % 3).astype(np.uint8),
        frequency_shifts=(frequencies % 7 - 4).astype(np.int8),
    )


def on_the_grid(tables: TransformTables, layer: int, level: int, tokens: int) -> LayerKV:
    """Return values whose coordinates are whole: no machine's arithmetic rounds them otherwise."""
    parts = []
    for kind in range(2):
        rows = np.empty((tokens, tables.channels))
        for piece in pieces(tokens, True, True):
            steps = tables.steps(layer, kind, level, piece.setting).astype(np.float64)[:, None]
            numbers = np.arange(piece.start, piece.stop)[:, None] * 31 + np.arange(16) * (7 + kind)
            q = (numbers % 11 - 5) * (numbers % 3) * np.where(numbers % 97 == 0, 40, 1)
            y = q.reshape(-1, len(steps), 16) * steps
            if len(steps) > 1:
                y = idct(y, axis=1, norm="ortho")
            basis = tables.synthesis[layer, kind].astype(np.float64)
            mean = tables.mean(layer, kind, piece.setting)
            rows[piece.start : piece.stop] = y.reshape(piece.tokens, -1) @ basis + mean
        by_head = rows.reshape(tokens, tables.kv_heads, -1).transpose(1, 0, 2)
        parts.append(torch.from_numpy(by_head).float())
    return LayerKV(*parts)
