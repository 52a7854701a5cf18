"""Which table each coordinate has, and which step each level. Own design."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from cachemw_codecs.transform.classes import (
    SHAPES,
    STEPS_PER_OCTAVE,
    nearest_scale,
    offsets,
)
from cachemw_codecs.transform.quantise import dequantise, quantise
from cachemw_codecs.transform.zones import BODY, FIRST, SINKS

TARGETS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""The divergence that each level is to cause, finest first, in nats a token behind a prefix of the
calibration's length; to second order, which overstates the coarse ones."""

_PROTECTED = -STEPS_PER_OCTAVE
"""Sinks have half the step at least, however little the sample's answers depended on them."""

Rows = NDArray[np.float32]


def shapes_and_deviations(y: Rows) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Fit each column of `y`, [tokens, C], by maximum likelihood; both results [C].

    For exp(-|y/a|^p) the best a is (p mean |y|^p)^(1/p); of three p the likeliest is taken.
    """
    size = np.abs(y).astype(np.float64) + 1e-12
    widths = [(p * (size**p).mean(axis=0)) ** (1 / p) for p in SHAPES]
    log_likelihood = [
        np.log(p) - np.log(2 * a) - gammaln(1 / p) - 1 / p
        for p, a in zip(SHAPES, widths, strict=True)
    ]
    deviations = [
        a * np.exp(0.5 * (gammaln(3 / p) - gammaln(1 / p)))
        for p, a in zip(SHAPES, widths, strict=True)
    ]
    best = np.argmax(log_likelihood, axis=0)
    return best.astype(np.uint8), np.take_along_axis(np.stack(deviations), best[None], axis=0)[0]


def zone_shifts(energy: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return int32 [SETTINGS], in quarter octaves: where errors cost k times as much, 1 / sqrt(k).

    `energy`: relative to the body. No setting's step is coarser than the body's.
    """
    shifts = np.rint(-np.log2(energy) / 2 * STEPS_PER_OCTAVE).astype(np.int32)
    shifts = np.minimum(shifts, 0)
    shifts[[FIRST, SINKS]] = np.minimum(shifts[[FIRST, SINKS]], _PROTECTED)
    shifts[BODY] = 0
    return shifts


def step_shifts(coordinates: Sequence[Rows], ratio: float) -> NDArray[np.int32]:
    """Return int32 [levels], quarter octaves over a step of 1 in the metric's own length.

    `coordinates`: a sample of each layer's keys and values, [tokens, C]. `ratio`: tokens of prefix
    for each of continuation in the texts that the metric was measured on. The largest step whose
    divergence, ratio x mean |error|^2 / 2, is within each of `TARGETS`.
    """
    found: list[int] = []
    shift = _first_guess(coordinates, ratio)
    for target in TARGETS:
        while _divergence(coordinates, shift + 1, ratio) <= target:
            if shift - (found[-1] if found else shift) >= 40:  # everything is 0 already
                break
            shift += 1
        found.append(shift)
    return np.array(found, np.int32)


def _first_guess(coordinates: Sequence[Rows], ratio: float) -> int:
    """Find a step surely finer than the finest level: errors of step^2 / 12 everywhere."""
    columns = sum(part.shape[1] for part in coordinates)
    step = np.sqrt(12 * 2 * TARGETS[0] / (ratio * columns))
    return int(np.floor(np.log2(step) * STEPS_PER_OCTAVE)) - STEPS_PER_OCTAVE


def _divergence(coordinates: Sequence[Rows], shift: int, ratio: float) -> float:
    """To second order, at a step of 2^(shift / 4)."""
    step = np.float32(np.exp2(shift / STEPS_PER_OCTAVE))
    total = 0.0
    everything = np.ones(256, bool)
    everything[0] = False
    laplace = offsets()[len(offsets()) // 2]
    for part in coordinates:
        codable = np.broadcast_to(everything, (part.shape[1], 256))
        coded = quantise(part / step, codable)
        back = dequantise(coded.symbols, coded.places, coded.values, np.full(1, laplace))
        total += float(np.square(part / step - back).sum(axis=1, dtype=np.float64).mean())
    return ratio * total * float(step) ** 2 / 2


def scales_of(deviations: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return the place of each deviation, in steps of `medium`, on the grid of classes."""
    return np.clip(nearest_scale(deviations), -(2**14), 2**14).astype(np.int16)
