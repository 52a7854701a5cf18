"""A model and some text to the calibration file of `transform`. Own design.

Minutes on a CPU for a small model: each text is read once forward and its last part backward, and a
few of them a dozen times more behind coded caches. A dozen texts of a thousand tokens do; their
length should be that of the contexts to be compressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import capture
from cachemw_codecs.transform import classes, fitting
from cachemw_codecs.transform.basis import synthesis
from cachemw_codecs.transform.blocks import BLOCK, forward
from cachemw_codecs.transform.levels import Trials, level_shifts
from cachemw_codecs.transform.sensitivity import (
    Observed,
    Reading,
    energies,
    frequency_weights,
    gradient_blocks,
    metric,
    observe,
)
from cachemw_codecs.transform.tables import TransformTables

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FOR_LEVELS = 4
"""Texts that levels are measured on."""
_BESIDE_SINKS = 4


def calibrate(model: PreTrainedModel, texts: Sequence[Tensor], seed: int = 0) -> bytes:
    """Return the calibration file. `texts`: int64 [tokens] each, within the model's context.

    Raises `InvalidInput` for texts too short or too few, or a model that `capture` refuses. Keeps
    the KV and gradients of all texts in memory: 8 bytes a value.
    """
    if not texts:
        raise InvalidInput("texts: none to calibrate with")
    generator = torch.Generator().manual_seed(seed)
    readings = [observe(model, ids, generator) for ids in texts]
    # Not every configuration says how many heads the cache has; a cache does.
    kv_heads = capture(model, texts[0][:1]).layers[0].shape.kv_heads
    fitted = fit(readings, kv_heads)
    trials = Trials(model, readings[:: -(-len(readings) // _FOR_LEVELS)], fitted)
    finest = fitting.finest_shift(fitted.scales, fitted.frequency_shifts)
    shifts = level_shifts(trials.divergence, max(0, finest), finest)
    return replace(fitted, level_shifts=shifts).save()


def fit(readings: Sequence[Reading], kv_heads: int) -> TransformTables:
    """Fit everything but the levels, which all have the step 1: the median coordinate's deviation.

    Such a step costs about a bit a value.
    """
    energy = energies(readings)
    parts = [
        _Part.of(texts, energy)
        for texts in zip(*(reading.parts for reading in readings), strict=True)
    ]
    median = np.median(np.stack([part.deviations[1:] for part in parts]))
    octaves = np.rint(np.log2(max(float(median), 1e-30)) * classes.STEPS_PER_OCTAVE)
    unit = np.exp2(octaves / classes.STEPS_PER_OCTAVE)
    scales = [classes.nearest_scale(part.deviations / unit) for part in parts]
    return TransformTables(
        synthesis=_by_layer([unit * part.synthesis for part in parts]).astype(np.float16),
        means=np.stack(
            [_by_layer([part.mean for part in parts]), _by_layer([part.first for part in parts])]
        ).astype(np.float32),
        scales=np.clip(_by_layer(scales), -128, 127).astype(np.int8),
        shapes=_by_layer([part.shapes for part in parts]),
        frequency_shifts=_by_layer([part.frequency_shifts for part in parts]),
        frequencies=classes.tables(),
        offsets=classes.offsets(),
        level_shifts=np.zeros(len(LADDER), np.int32),
        zone_shifts=fitting.zone_shifts(energy),
        kv_heads=kv_heads,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Keys or values of one layer, fitted. `deviations`: [17, C], of a token, then by frequency."""

    synthesis: NDArray[np.float64]
    mean: NDArray[np.float64]
    first: NDArray[np.float64]
    deviations: NDArray[np.float64]
    shapes: NDArray[np.uint8]
    frequency_shifts: NDArray[np.int8]

    @classmethod
    def of(cls, texts: Sequence[Observed], energy: NDArray[np.float64]) -> _Part:
        gradients = gradient_blocks(texts, energy)
        weights = frequency_weights(gradients)
        rows = np.concatenate([text.rows[_BESIDE_SINKS:] for text in texts])
        mean = rows.mean(axis=0, dtype=np.float64)
        blocks = np.concatenate([_blocks(text.rows - mean) for text in texts])
        weighted = (blocks * np.sqrt(weights)[:, None]).reshape(-1, len(mean))
        basis = synthesis(weighted.T @ weighted / len(weighted), metric(gradients, weights))
        analysis = np.linalg.inv(basis)
        tokens, by_frequency = (rows - mean) @ analysis, blocks @ analysis
        # The shape of what varies fast, which most of the coefficients are.
        shapes = fitting.shapes(by_frequency[:, BLOCK // 2 :].reshape(-1, len(mean)))
        samples = [tokens, *by_frequency.transpose(1, 0, 2)]
        return cls(
            basis,
            mean,
            np.mean([text.rows[0] for text in texts], axis=0, dtype=np.float64),
            np.stack([fitting.deviations(sample, shapes) for sample in samples]),
            shapes,
            fitting.frequency_shifts(weights),
        )


def _blocks(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tokens behind the sinks by block and frequency: [blocks, 16, C]."""
    behind = centred[_BESIDE_SINKS:]
    whole = len(behind) - len(behind) % BLOCK
    return forward(behind[:whole].astype(np.float32)).astype(np.float64)


def _by_layer(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Keys and values in turn -> [layers, 2, ...]."""
    return np.stack(parts).reshape(len(parts) // 2, 2, *parts[0].shape)
