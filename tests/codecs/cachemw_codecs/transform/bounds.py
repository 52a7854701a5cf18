"""What the codec may do to a value, worked out apart from the codec, in float64."""

from __future__ import annotations

import numpy as np
from cachemw_codecs.kv import by_token
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.classes import ROUNDING
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import Zone, by_block, pieces
from numpy.typing import NDArray
from scipy.fft import dct  # type: ignore[import-untyped]
from torch import Tensor, finfo

MOST = 32767
Rows = NDArray[np.float64]


def coordinates(tables: TransformTables, layer: int, kind: int, setting: int, rows: Rows) -> Rows:
    """Return [blocks, 16 or 1, C], in steps of shift 0."""
    analysis = np.linalg.inv(tables.synthesis[layer, kind].astype(np.float64))
    y = (rows - tables.mean(layer, kind, setting)) @ analysis
    if not by_block(setting):
        return np.asarray(y[:, None])
    return np.asarray(dct(y.reshape(-1, BLOCK, y.shape[1]), axis=1, norm="ortho"))


def check_error(
    tables: TransformTables,
    place: tuple[int, int, int],
    original: Tensor,
    decoded: Tensor,
    ends_context: bool = True,
) -> None:
    """Assert the bound on every coordinate. `place`: layer, kind, level.

    A value is off by 0.6 steps in the dead zone; outside of it by 0.6 and its offset, or 0.4 less
    its offset. Those saturated are exempt, and rows with values that the dtype could not hold.
    """
    was, now = (by_token(part).double().numpy() for part in (original, decoded))
    info = finfo(original.dtype)
    for piece in pieces(len(was), True, ends_context):
        cut = slice(piece.start, piece.stop)
        held = (np.abs(now[cut]) < info.max).reshape(_blocks(piece), -1).all(axis=1)
        y, tolerance = _expected(tables, place, piece, was[cut], float(info.eps))
        decoded_y = coordinates(tables, *place[:2], piece.setting, now[cut])
        steps = tables.steps(*place, piece.setting).astype(np.float64)[:, None]
        offsets = tables.offsets[tables.classes(*place, piece.setting)]
        allowed = 1 - ROUNDING + np.maximum(offsets, 0) + 1e-3
        off = np.abs(y - decoded_y) / steps - tolerance / steps
        coded = (np.abs(y) < MOST * steps) & held[:, None, None]
        assert bool((off <= allowed)[coded].all()), f"{piece}: {(off - allowed)[coded].max()}"


def _blocks(piece: Zone) -> int:
    return piece.tokens // (BLOCK if by_block(piece.setting) else 1)


def _expected(
    tables: TransformTables, place: tuple[int, int, int], piece: Zone, rows: Rows, eps: float
) -> tuple[Rows, Rows]:
    """Return coordinates, and what rounding to float32 and to the dtype makes of them at most."""
    layer, kind, _ = place
    y = coordinates(tables, layer, kind, piece.setting, rows)
    synthesis = tables.synthesis[layer, kind].astype(np.float64)
    stretch = np.linalg.norm(np.linalg.inv(synthesis), 2)
    size = np.linalg.norm((np.abs(rows) + 1).reshape(_blocks(piece), -1), axis=1)
    size += np.abs(tables.mean(layer, kind, piece.setting)).max()
    return y, (size * stretch * (eps + 2.0**-19))[:, None, None]
