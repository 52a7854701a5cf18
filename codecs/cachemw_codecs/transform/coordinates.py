"""Rows of keys or values to coordinates in steps, and back. float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cachemw_codecs.transform.tables import TransformTables

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the tables' coordinates: a layer, keys (0) or values (1), a level, a setting."""

    layer: int
    kind: int
    level: int
    setting: int


def analyse(tables: TransformTables, at: Place, rows: Rows) -> Rows:
    """[tokens, C] keys or values -> coordinates in steps, same shape."""
    centred = rows - tables.mean(at.layer, at.kind, at.setting)
    y = _matmul(centred, tables.analysis[at.layer, at.kind])
    return y / np.float32(tables.step(at.level, at.setting))


def synthesise(tables: TransformTables, at: Place, y: Rows) -> Rows:
    """Undo `analyse`."""
    scaled = y * np.float32(tables.step(at.level, at.setting))
    back = _matmul(scaled, tables.synthesis[at.layer, at.kind].astype(np.float32))
    return back + tables.mean(at.layer, at.kind, at.setting)


def _matmul(a: Rows, b: Rows) -> Rows:
    """torch's, which knows how many threads the process wants."""
    product: Rows = (torch.from_numpy(a) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()
    return product
