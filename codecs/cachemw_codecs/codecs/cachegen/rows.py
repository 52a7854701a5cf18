"""A layer as rows: a token's channels of keys, then its channels of values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from cachemw_codecs.codecs.cachegen.steps import (
    LARGEST,
    Exponents,
    Floats,
    anchor_of,
    exponents_of,
    is_anchor,
    quantised_by,
    scales_of,
)
from cachemw_codecs.codecs.framing import Words, words
from cachemw_codecs.kv import LayerKV, LayerShape, by_head, by_token


class Anchors(NamedTuple):
    """Quantised anchors: exponents of scales [rows, 2] and float32 numbers [rows, 2 x channels]."""

    exponents: Exponents
    numbers: Floats


def rows_of(kv: LayerKV) -> Floats:
    """Return float32 [tokens, 2 x channels]."""
    return np.concatenate([by_token(part.detach()).float().numpy() for part in _parts(kv)], axis=1)


def bits_of(kv: LayerKV) -> Words:
    """Return the bits of the same rows."""
    return np.concatenate([words(by_token(part)) for part in _parts(kv)], axis=1)


def to_layer(rows: Floats, shape: LayerShape) -> LayerKV:
    """Undo `rows_of`; what exceeds the dtype becomes its largest number."""
    most = torch.finfo(shape.dtype).max
    both = torch.from_numpy(rows).clamp_(-most, most).to(shape.dtype)
    keys, values = both[:, : shape.channels], both[:, shape.channels :]
    return LayerKV(by_head(keys, shape), by_head(values, shape))


def quantised_anchors(rows: Floats) -> Anchors:
    """Quantise anchors to 8 bits, keys and values each by the largest magnitude of their row."""
    parts = rows.reshape(len(rows), 2, -1)
    exponents = exponents_of(np.abs(parts).max(axis=2))
    numbers = quantised_by(parts, scales_of(exponents)[:, :, None])
    return Anchors(exponents, numbers.clip(-LARGEST, LARGEST).reshape(rows.shape))


def decoded_anchors(anchors: Anchors) -> Floats:
    """Return anchors as a decoder has them, float32 [rows, 2 x channels]."""
    numbers = anchors.numbers
    parts = numbers.reshape(len(numbers), 2, -1) * scales_of(anchors.exponents)[:, :, None]
    return np.asarray(parts.reshape(numbers.shape), np.float32)


def deltas(rows: Floats, anchors: Floats) -> Floats:
    """Return all tokens but anchors, less their decoded anchor."""
    with np.errstate(over="ignore"):
        return rows[~is_anchor(len(rows))] - anchors[anchor_of(len(rows))]


def undone(differences: Floats, anchors: Floats, tokens: int) -> Floats:
    """Undo `deltas` of a layer of `tokens`."""
    with np.errstate(over="ignore"):
        return differences + anchors[anchor_of(tokens)]


def joined(anchors: Floats, others: Floats) -> Floats:
    """Put anchors and the other tokens in order: float32 [tokens, 2 x channels]."""
    rows = np.empty((len(anchors) + len(others), anchors.shape[1]), np.float32)
    rows[is_anchor(len(rows))] = anchors
    rows[~is_anchor(len(rows))] = others
    return rows


def _parts(kv: LayerKV) -> tuple[torch.Tensor, torch.Tensor]:
    return kv.keys, kv.values
