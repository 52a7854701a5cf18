"""Which table each coordinate has, and by how much steps differ. Own design."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln  # type: ignore[import-untyped]

from cachemw_codecs.transform.classes import SCALES, SHAPES, STEPS_PER_OCTAVE
from cachemw_codecs.transform.zones import BODY, FIRST, LOOSE, SINKS

_PROTECTED = -STEPS_PER_OCTAVE
"""Sinks have half the step at least, however little the sample's answers depended on them."""
_FARTHEST = 60
"""Steps of frequencies are within 2^(+-15)."""


def deviations(sample: NDArray[np.float64], shape: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the standard deviation of each column, [C], by maximum likelihood.

    `sample`: [values, C]; `shape`: [C], of `classes`. For exp(-|y/a|^p) the best a is
    (p mean |y|^p)^(1/p).
    """
    powers = np.array(SHAPES)[shape]
    size = np.abs(sample).astype(np.float64) + 1e-12
    width = (powers * (size**powers).mean(axis=0)) ** (1 / powers)
    return np.asarray(width * _deviation_of_unit(powers))


def shapes(sample: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the likeliest shape of each column, uint8 [C]. `sample`: [values, C]."""
    size = np.abs(sample).astype(np.float64) + 1e-12
    log_likelihood = []
    for p in SHAPES:
        width = (p * (size**p).mean(axis=0)) ** (1 / p)
        log_likelihood.append(np.log(p) - np.log(2 * width) - gammaln(1 / p) - 1 / p)
    return np.asarray(np.argmax(log_likelihood, axis=0), np.uint8)


def zone_shifts(energy: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return int32 [SETTINGS], in quarter octaves: where errors cost k times as much, 1 / sqrt(k).

    `energy`: relative to the body. No setting's step is coarser than the body's.
    """
    shifts = np.minimum(_quarter_octaves(energy), 0)
    shifts[[FIRST, SINKS]] = np.minimum(shifts[[FIRST, SINKS]], _PROTECTED)
    shifts[[LOOSE, BODY]] = 0
    return shifts


def frequency_shifts(weights: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return int8 [16], in quarter octaves, likewise. `weights`: mean 1."""
    return np.clip(_quarter_octaves(weights), -_FARTHEST, _FARTHEST).astype(np.int8)


def finest_shift(scales: NDArray[np.int8], shifts: NDArray[np.int8]) -> int:
    """Return the finest step that tables are there for, in quarter octaves.

    `scales`: [layers, 2, 17, C], and `shifts`: [layers, 2, 16], as in the calibration file. At a
    finer step more than one coordinate in twenty is wider than the widest table, and codes in
    escapes.
    """
    in_steps = scales[:, :, 1:].astype(np.int32) - shifts[..., None].astype(np.int32)
    return int(np.ceil(np.percentile(in_steps, 95))) - (SCALES - 1)


def _quarter_octaves(cost: NDArray[np.float64]) -> NDArray[np.int32]:
    octaves = -np.log2(np.maximum(cost, 1e-30)) / 2
    return np.asarray(np.rint(octaves * STEPS_PER_OCTAVE), np.int32)


def _deviation_of_unit(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of exp(-|y|^p)."""
    return np.asarray(np.exp(0.5 * (gammaln(3 / power) - gammaln(1 / power))))
