"""Anchors, deltas and the steps that they are quantised with.

Arithmetic that a decoder repeats is float32, element by element, so that it gives the same bits on
every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Exponents = NDArray[np.int32]

GROUP = 10
"""Tokens that share an anchor, their first."""
LARGEST = 127
"""Of a quantised number: 8 bits with their sign."""
BINS = (0.5, 1.0, 1.5)
"""Of the first, middle and last third of layers, in standard deviations; the paper's."""
MULTIPLES = (1, 3, 5, 11, 17, 25, 41)
"""Step at each level, in finest steps. Odd, so that bins of one level divide those of the next."""
PAPER = 11
"""The multiple at which a step is the paper's bin."""

_OCTAVE = 8
_ROOTS = np.array(
    [1.0, 1.0905077, 1.1892071, 1.2968396, 1.4142135, 1.5422108, 1.6817929, 1.8340081], np.float32
)
"""2^(j/8). Written out, because powers differ in their last place between libraries."""


def finest_bin(layer: int, layers: int) -> float:
    """Return the finest step of a layer's third, in standard deviations."""
    return BINS[3 * layer // layers] / PAPER


def is_anchor(tokens: int) -> NDArray[np.bool_]:
    """Bool [tokens]: which of them are anchors."""
    return np.asarray(np.arange(tokens) % GROUP == 0)


def anchor_of(tokens: int) -> NDArray[np.intp]:
    """Return for each token that is no anchor the number of its group."""
    return np.flatnonzero(~is_anchor(tokens)) // GROUP


def exponents_of(peaks: Floats) -> Exponents:
    """Return the least exponents whose scales take magnitudes up to `peaks` to within `LARGEST`.

    `peaks`: finite, not negative; what stands for 0 has no meaning.
    """
    mantissas, octaves = np.frexp(peaks / np.float32(LARGEST))
    roots = np.searchsorted(_ROOTS, mantissas * 2)
    return np.asarray((octaves - 1) * _OCTAVE + roots, np.int32)


def scales_of(exponents: Exponents) -> Floats:
    """Return 2^(exponent / 8)."""
    scales = np.ldexp(_ROOTS[exponents % _OCTAVE], exponents // _OCTAVE)
    return np.asarray(scales, np.float32)


def quantised_by(rows: Floats, steps: Floats) -> Floats:
    """Return `rows` in whole steps; infinite where a quotient is larger than any float32."""
    with np.errstate(over="ignore"):
        return np.asarray(np.rint(rows / steps), np.float32)
