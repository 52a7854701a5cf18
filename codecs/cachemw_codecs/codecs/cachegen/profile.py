"""Samples of a model's KV to its calibration file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.codecs.cachegen.rows import (
    Anchors,
    decoded_anchors,
    deltas,
    quantised_anchors,
    rows_of,
)
from cachemw_codecs.codecs.cachegen.sharing import Classes, Counts, Sharing, as_room_allows
from cachemw_codecs.codecs.cachegen.steps import (
    GROUP,
    LARGEST,
    Floats,
    finest_bin,
    quantised_by,
)
from cachemw_codecs.codecs.cachegen.symbols import ESCAPE
from cachemw_codecs.codecs.cachegen.tables import (
    LARGEST_STEP,
    MAX_CENTRE,
    Tensors,
    Weights,
    written,
)
from cachemw_codecs.coding.frequencies import SYMBOLS
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import LayerKV, require_finite

_WHOLE = 1 << 15
"""What weights of a table sum to, about. A symbol rarer than half of one is kept as it is: that
costs less than the least frequency there is, one in 4096, takes from the others."""
_NARROWEST = 1e-3
"""Least unit of a channel, by the mean one of its layer: one that stood still may move later."""


def profile(
    samples: Iterable[Sequence[LayerKV]],
    *,
    delta: bool = True,
    sharing: Sharing = as_room_allows,
    model: bytes = b"",
) -> bytes:
    """Return the calibration file of a model.

    `samples`: the KV of some texts, each all its layers; at least 10 000 tokens in all, of texts
    like those to come. They are held in memory at once. `delta`: whether tokens are coded against
    anchors. `sharing`: which channels share a table; by default none, as in the paper, unless the
    model has more than 8192 in all. `model`: a digest of 16 bytes, or nothing.

    Raises `InvalidInput` where there are no samples or they do not fit each other.
    """
    layers = _layers(samples)
    steps, counts, anchors = [], [], []
    for number, texts in enumerate(layers):
        heads = [quantised_anchors(rows[::GROUP]) for rows in texts]
        values = np.concatenate(
            [_values(rows, head, delta=delta) for rows, head in zip(texts, heads, strict=True)]
        )
        steps.append(_units(values) * np.float32(finest_bin(number, len(layers))))
        counts.append(counted(quantised_by(values, steps[-1])))
        anchors.append(Anchors(*(np.concatenate(part) for part in zip(*heads, strict=True))))
    tensors: Tensors = {"steps": np.stack(steps)}
    tensors["values"], tensors["value_classes"] = _shared(np.stack(counts), sharing)
    if delta:
        numbers = np.stack([counted(layer.numbers) for layer in anchors])
        tensors["anchors"], tensors["anchor_classes"] = _shared(numbers, sharing)
        centres, scales = zip(*(_scales(layer) for layer in anchors), strict=True)
        tensors["centres"], tensors["scales"] = np.stack(centres), np.concatenate(scales)
    return written(tensors, delta=delta, model=model)


def counted(numbers: Floats) -> Counts:
    """Count the symbols of whole numbers [rows, columns]: int64 [columns, 256]."""
    columns = numbers.shape[1]
    symbols = np.where(np.abs(numbers) <= LARGEST, numbers + LARGEST, ESCAPE).astype(np.intp)
    places = symbols + SYMBOLS * np.arange(columns)
    return np.bincount(places.ravel(), minlength=columns * SYMBOLS).reshape(columns, SYMBOLS)


def weights_of(counts: Counts) -> Weights:
    """Smooth counts [tables, 256] into weights; what no symbol stands for keeps at least 1."""
    smooth = np.stack([_smoothed(row) for row in counts.astype(np.float64)])
    wholes = np.maximum(smooth.sum(axis=1, keepdims=True), 1)
    weights = np.rint(smooth / wholes * _WHOLE)
    weights[:, ESCAPE] = np.maximum(weights[:, ESCAPE], 1)
    return np.asarray(weights, np.uint16)


def _layers(samples: Iterable[Sequence[LayerKV]]) -> list[list[Floats]]:
    """Return rows by layer and text."""
    texts = []
    for text in samples:
        for kv in text:
            require_finite(kv)
        texts.append([rows_of(kv) for kv in text if kv.shape])
    shapes = {tuple(rows.shape[1] for rows in text) for text in texts}
    if len(shapes) != 1 or len(set(*shapes)) != 1:
        raise InvalidInput("samples: none, or not all of one model")
    return [list(layer) for layer in zip(*texts, strict=True)]


def _values(rows: Floats, anchors: Anchors, *, delta: bool) -> Floats:
    return deltas(rows, decoded_anchors(anchors)) if delta else rows


def _units(values: Floats) -> Floats:
    """Return standard deviations, float32 [2 x channels], none of them 0."""
    if not len(values):
        return np.ones(values.shape[1], np.float32)
    deviations = values.astype(np.float64).std(axis=0)
    if not bool(np.isfinite(deviations).all()):
        raise InvalidInput("samples: values are too large")
    least = np.repeat(deviations.reshape(2, -1).mean(axis=1), len(deviations) // 2) * _NARROWEST
    units = np.maximum(deviations, np.where(least > 0, least, 1))
    return np.asarray(units.clip(32 / LARGEST_STEP, LARGEST_STEP), np.float32)


def _shared(counts: Counts, sharing: Sharing) -> tuple[Weights, Classes]:
    classes = sharing(counts)
    sums = np.zeros((int(classes.max()) + 1, SYMBOLS), np.int64)
    np.add.at(sums, classes.ravel(), counts.reshape(-1, SYMBOLS))
    return weights_of(sums), classes


def _scales(anchors: Anchors) -> tuple[NDArray[np.int32], Weights]:
    """Return the centres of keys' and values' scales, and weights around them."""
    middle = np.median(anchors.exponents, axis=0).clip(-MAX_CENTRE, MAX_CENTRE)
    centres = np.rint(middle).astype(np.int32)
    counts = counted((anchors.exponents - centres).astype(np.float32))
    weights = weights_of(counts)
    # A scale that cannot be coded would keep its whole row as it is.
    return centres, np.maximum(weights, 1).astype(np.uint16)


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kernel density estimate over what symbols stand for (Silverman's rule of thumb).

    Wide distributions have more symbols than samples; narrow ones stay as they are.
    """
    out = counts.copy()
    inside, numbers = counts[:ESCAPE], np.arange(ESCAPE)
    whole = inside.sum()
    if whole:
        mean = (inside * numbers).sum() / whole
        deviation = np.sqrt((inside * (numbers - mean) ** 2).sum() / whole)
        width = 0.9 * deviation * whole**-0.2
        if width > 1 / 3:
            reach = min(int(4 * width) + 1, LARGEST)
            kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
            out[:ESCAPE] = np.convolve(inside, kernel / kernel.sum(), "same")
    return out
