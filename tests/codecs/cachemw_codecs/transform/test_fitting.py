from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.transform import fitting
from cachemw_codecs.transform.classes import SCALES, SHAPES, STEPS_PER_OCTAVE
from cachemw_codecs.transform.zones import BODY, FIRST, LOOSE, SETTINGS, SINKS, TAILS
from numpy.typing import NDArray
from scipy.stats import gennorm  # type: ignore[import-untyped]

DEVIATIONS = np.array([0.01, 1.0, 30.0])


def sample(shape: int, values: int = 20_000) -> NDArray[np.float64]:
    """Return [values, 3], a column for each of `DEVIATIONS`."""
    y = gennorm.rvs(SHAPES[shape], size=(values, 3), random_state=shape)
    return np.asarray(y / gennorm.std(SHAPES[shape]) * DEVIATIONS)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_the_shape_is_found_whatever_the_deviation(shape: int) -> None:
    found = fitting.shapes(sample(shape))
    assert found.dtype == np.uint8
    assert found.tolist() == [shape] * 3


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_the_deviation_is_found(shape: int) -> None:
    found = fitting.deviations(sample(shape), np.full(3, shape, np.uint8))
    np.testing.assert_allclose(found, DEVIATIONS, rtol=0.05)


def test_columns_are_fitted_apart() -> None:
    mixed = np.stack([sample(shape)[:, 1] for shape in (2, 0, 1)], axis=1)
    assert fitting.shapes(mixed).tolist() == [2, 0, 1]
    found = fitting.deviations(mixed, np.array([2, 0, 1], np.uint8))
    np.testing.assert_allclose(found, 1, rtol=0.05)


def test_a_column_of_zeros_has_a_deviation_next_to_none() -> None:
    nothing = np.zeros((50, 2))
    found = fitting.deviations(nothing, fitting.shapes(nothing))
    assert (found < 1e-9).all()
    assert np.isfinite(found).all()


def test_tokens_that_cost_more_have_finer_steps() -> None:
    energy = np.ones(SETTINGS)
    energy[list(TAILS)] = 4, 16, 1000
    shifts = fitting.zone_shifts(energy)
    assert shifts.dtype == np.int32
    # Half the step where errors cost four times as much.
    assert shifts[list(TAILS)].tolist() == [-4, -8, round(-2 * np.log2(1000))]


def test_no_setting_is_coarser_than_the_body_and_sinks_are_finer() -> None:
    shifts = fitting.zone_shifts(np.full(SETTINGS, 1e-6))
    assert shifts[[FIRST, SINKS]].tolist() == [-STEPS_PER_OCTAVE] * 2
    assert shifts[[LOOSE, BODY, *TAILS]].tolist() == [0] * 5
    costly = fitting.zone_shifts(np.full(SETTINGS, 2.0**20))
    assert costly[[FIRST, SINKS]].tolist() == [-40, -40]
    assert costly[[LOOSE, BODY]].tolist() == [0, 0]


def test_frequencies_step_by_what_they_cost() -> None:
    weights = np.array([64.0, 4.0, 1.0, 0.25, *[1.0] * 12])
    shifts = fitting.frequency_shifts(weights)
    assert shifts.dtype == np.int8
    assert shifts[:5].tolist() == [-12, -4, 0, 4, 0]


def test_frequencies_without_any_cost_have_steps_within_bounds() -> None:
    shifts = fitting.frequency_shifts(np.array([1e30, 0.0, *[1.0] * 14]))
    assert shifts[:2].tolist() == [-60, 60]


def test_the_finest_step_is_that_of_the_widest_table() -> None:
    scales = np.full((2, 2, 17, 20), 16, np.int8)
    scales[:, :, 0] = 100  # of tokens, which few are coded as
    scales[0, 0, 1, 0] = 120  # one coordinate of many
    flat = np.zeros((2, 2, 16), np.int8)
    assert fitting.finest_shift(scales, flat) == 16 - (SCALES - 1)
    assert fitting.finest_shift(scales, flat + np.int8(4)) == 12 - (SCALES - 1)
