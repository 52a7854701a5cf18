"""Parametric frequency tables: what a quantised coordinate looks like, by scale and shape.

A coordinate y, in steps, is modelled as a generalised Gaussian, exp(-|y/a|^p), of one of three
shapes: p = 2 (Gaussian), 1 (Laplace) and 0.6 (heavier still), and of a standard deviation on a grid
of quarter octaves. Calibration stores which for each coordinate. Another step then means another
place on the grid, and no new tables. Source: own design; the family is Mallat's (1989).

The tables are made by floating point once, at calibration, and stored: see `FrequencyTables`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln  # type: ignore[import-untyped]

from cachemw_codecs.coding.frequencies import SYMBOLS, quantised

SHAPES = (2.0, 1.0, 0.6)
STEPS_PER_OCTAVE = 4
SCALES = 40
"""Standard deviations 2^((i - 16) / 4) steps, i from 0: 1/16 to 54 steps."""
_LOWEST_OCTAVE = 4
CLASSES = len(SHAPES) * SCALES

ESCAPE = 0
"""The symbol that says that the value stands in a list."""
ZERO = 128
"""The symbol of value 0; value q has symbol 128 + q, for |q| <= 127."""
LARGEST = 127

ROUNDING = 0.4
"""q = floor(|y| + ROUNDING): the dead zone is 1.2 steps wide. By measurement, see the report."""

_RAREST = 2.0**-14
"""Values less likely than this are escapes: a place in the table costs all others 1/4096."""


def deviation(scale: int) -> float:
    """Return the standard deviation, in steps, of a place on the grid."""
    return float(np.exp2(scale / STEPS_PER_OCTAVE - _LOWEST_OCTAVE))


def nearest_scale(deviations: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nearest place on the grid, which may lie outside of 0 to SCALES - 1."""
    octaves = np.log2(np.maximum(deviations, 1e-30)) + _LOWEST_OCTAVE
    return np.asarray(np.rint(octaves * STEPS_PER_OCTAVE), np.int64)


def tables() -> NDArray[np.uint16]:
    """Return uint16 [CLASSES, 256], class = shape x SCALES + scale."""
    weights = np.stack(
        [_weights(shape, deviation(scale)) for shape in SHAPES for scale in range(SCALES)]
    )
    return quantised(weights)


def offsets() -> NDArray[np.float32]:
    """Return float32 [CLASSES]: how far toward zero of |q| a value is best reconstructed, in steps.

    The centroid of the cell of |q| = 1, the one that most values other than 0 are in.
    """
    return np.array(
        [_offset(shape, deviation(scale)) for shape in SHAPES for scale in range(SCALES)],
        np.float32,
    )


def _width(shape: float, sigma: float) -> float:
    """Return the a of exp(-|y/a|^p) that has standard deviation `sigma`."""
    return float(sigma * np.exp(0.5 * (gammaln(1 / shape) - gammaln(3 / shape))))


def _below(y: NDArray[np.float64], shape: float, sigma: float) -> NDArray[np.float64]:
    """P(|Y| < y)."""
    return np.asarray(gammainc(1 / shape, (y / _width(shape, sigma)) ** shape))


def _weights(shape: float, sigma: float) -> NDArray[np.float64]:
    edges = np.arange(1.0, LARGEST + 2, dtype=np.float64) - ROUNDING
    inside = _below(edges, shape, sigma)
    each_side = np.diff(inside) / 2
    each_side[each_side < _RAREST] = 0.0
    weights = np.zeros(SYMBOLS)
    weights[ZERO] = inside[0]
    weights[ZERO + 1 :] = each_side
    weights[ZERO - 1 : 0 : -1] = each_side
    weights[ESCAPE] = max(1.0 - weights.sum(), 2.0**-20)
    return weights


def _offset(shape: float, sigma: float) -> float:
    y = np.linspace(1 - ROUNDING, 2 - ROUNDING, 513)
    mass = np.exp(-((y / _width(shape, sigma)) ** shape) + ((y[0] / _width(shape, sigma)) ** shape))
    return float(1.0 - (y * mass).sum() / mass.sum())
