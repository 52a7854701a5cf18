"""Rows of keys or values to coordinates in steps, and back. float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cachemw_codecs.transform.blocks import backward, forward
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import by_block

Rows = NDArray[np.float32]
_FARTHEST = np.float32(2.0**64)
"""From the mean. What is further away is brought there, so that no sum is infinite less infinite;
such values are beyond the largest number of steps anyway."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the tables' coordinates: a layer, keys (0) or values (1), a level, a setting."""

    layer: int
    kind: int
    level: int
    setting: int


def analyse(tables: TransformTables, at: Place, rows: Rows) -> Rows:
    """[tokens, C] keys or values -> coordinates in steps, [rows, columns / C, C].

    Where the setting takes tokens by the block: [blocks, 16 frequencies, C]; else [tokens, 1, C].
    """
    with np.errstate(over="ignore"):
        centred = rows - tables.mean(at.layer, at.kind, at.setting)
        centred = np.clip(centred, -_FARTHEST, _FARTHEST)
        y = _matmul(centred, tables.analysis(at.layer, at.kind))
        rows_of_y = forward(y) if by_block(at.setting) else y[:, None]
        return rows_of_y / _steps(tables, at)


def synthesise(tables: TransformTables, at: Place, y: Rows) -> Rows:
    """Undo `analyse`."""
    scaled = y * _steps(tables, at)
    tokens = backward(scaled) if by_block(at.setting) else scaled[:, 0]
    back = _matmul(tokens, tables.synthesis[at.layer, at.kind].astype(np.float32))
    return back + tables.mean(at.layer, at.kind, at.setting)


def _steps(tables: TransformTables, at: Place) -> Rows:
    """float32 [16 or 1, 1]."""
    return tables.steps(at.layer, at.kind, at.level, at.setting)[:, None]


def _matmul(a: Rows, b: Rows) -> Rows:
    """torch's, which knows how many threads the process wants."""
    product: Rows = (torch.from_numpy(a) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()
    return product
