from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.transform.classes import (
    CLASSES,
    ESCAPE,
    LARGEST,
    ROUNDING,
    SCALES,
    SHAPES,
    STEPS_PER_OCTAVE,
    ZERO,
    deviation,
    nearest_scale,
)
from cachemw_codecs.transform.quantise import quantise
from numpy.typing import NDArray
from scipy.stats import gennorm  # type: ignore[import-untyped]

from tests.codecs.cachemw_codecs.transform.samples import parametric

SAMPLES = 200_000
EVERYTHING = np.arange(256)[None, :] != ESCAPE
SHAPE = pytest.mark.parametrize("shape", range(len(SHAPES)))
SCALE = pytest.mark.parametrize("scale", range(0, SCALES, 5))


def drawn(shape: int, scale: int) -> NDArray[np.float64]:
    """Draw from exp(-|y/a|^p), at the scale's standard deviation."""
    y = gennorm.rvs(SHAPES[shape], size=SAMPLES, random_state=scale)
    return np.asarray(y * deviation(scale) / gennorm.std(SHAPES[shape]))


def symbols(y: NDArray[np.float64]) -> NDArray[np.uint8]:
    return quantise(y[:, None].astype(np.float32), EVERYTHING).symbols[:, 0]


def test_all_tables_are_tables() -> None:
    frequencies, offsets = parametric()
    assert frequencies.shape == (CLASSES, 256)
    assert (frequencies.sum(axis=1, dtype=np.int64) == 4096).all()
    assert (frequencies[:, ESCAPE] > 0).all(), "any value can be coded by any table"
    assert (frequencies[:, ZERO] > 0).all()
    assert offsets.shape == (CLASSES,)
    assert offsets.dtype == np.float32


@SHAPE
@SCALE
def test_a_tables_bits_are_the_entropy_of_what_it_models(shape: int, scale: int) -> None:
    counts = np.bincount(symbols(drawn(shape, scale)), minlength=256) / SAMPLES
    frequencies, _ = parametric()
    bits = FrequencyTables(frequencies).bits()[shape * SCALES + scale]
    seen = counts > 0
    entropy = float(-(counts[seen] * np.log2(counts[seen])).sum())
    # What the table has no place for is an escape, 8 bytes more.
    unlisted = seen & ~np.isfinite(bits)
    counts[ESCAPE] += counts[unlisted].sum()
    counts[unlisted] = 0
    spent = float((counts[counts > 0] * bits[counts > 0]).sum())
    assert spent < 1.01 * entropy + 0.01
    # Listed values take 64 bits in place of their own information: rare enough not to matter.
    assert counts[ESCAPE] < 0.004 or deviation(scale) > LARGEST / 8


@SHAPE
@SCALE
def test_an_offset_is_the_centroid_of_the_cell_of_one(shape: int, scale: int) -> None:
    size = np.abs(drawn(shape, scale))
    cell = size[(size >= 1 - ROUNDING) & (size < 2 - ROUNDING)]
    _, offsets = parametric()
    if len(cell) > 200:
        expected = 1 - cell.mean()
        noise = 4 * cell.std() / np.sqrt(len(cell)) + 0.002
        assert abs(float(offsets[shape * SCALES + scale]) - expected) < noise


def test_offsets_keep_values_within_the_cell_and_shrink_with_the_scale() -> None:
    _, offsets = parametric()
    by_shape = offsets.reshape(len(SHAPES), SCALES)
    assert (by_shape <= ROUNDING).all()
    assert (by_shape >= ROUNDING - 0.5 - 1e-3).all()
    assert (np.diff(by_shape, axis=1) <= 1e-6).all()


def test_wider_classes_have_fewer_zeros_and_no_fewer_symbols() -> None:
    frequencies, _ = parametric()
    by_shape = frequencies.astype(np.int64).reshape(len(SHAPES), SCALES, 256)
    zeros = by_shape[:, :, ZERO]
    assert (np.diff(zeros, axis=1) <= 0).all()
    assert (zeros[:, -1] < 200).all()
    has = np.count_nonzero(by_shape, axis=2)
    falls = np.diff(has, axis=1)
    assert (falls[:, : SCALES // 2] >= 0).all()


def test_tables_are_alike_for_both_signs() -> None:
    frequencies, _ = parametric()
    above = frequencies[:, ZERO + 1 :].astype(np.int64)
    below = frequencies[:, ZERO - 1 : 0 : -1].astype(np.int64)
    # Rounding to a sum may put a single 4096th on one side.
    assert np.abs(above - below).max() <= 1


def test_the_grid_has_four_steps_an_octave_and_goes_on_outside() -> None:
    assert deviation(0) == 1 / 16
    assert deviation(16 + STEPS_PER_OCTAVE) == 2
    grid = np.arange(-20, 60)
    assert (nearest_scale(np.exp2(grid / 4 - 4) * 1.05) == grid).all()
    assert int(nearest_scale(np.zeros(1))[0]) < -100
