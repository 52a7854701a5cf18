from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.coordinates import Place, analyse, synthesise
from cachemw_codecs.transform.zones import BODY, FIRST, SETTINGS, by_block

from tests.codecs.cachemw_codecs.transform.bounds import coordinates
from tests.codecs.cachemw_codecs.transform.samples import small_tables

PLACES = [
    Place(layer, kind, level, setting)
    for layer, kind, level in [(0, 0, 0), (1, 1, 6)]
    for setting in range(SETTINGS)
]


def rows(tokens: int = 2 * BLOCK) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 4, (tokens, 16)).astype(np.float32)


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_synthesis_undoes_analysis(at: Place) -> None:
    tables, x = small_tables(), rows()
    y = analyse(tables, at, x)
    assert y.dtype == np.float32
    assert y.shape == ((2, BLOCK, 16) if by_block(at.setting) else (2 * BLOCK, 1, 16))
    back = synthesise(tables, at, y)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, x, atol=1e-4)


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_coordinates_are_in_steps(at: Place) -> None:
    tables = small_tables()
    y = analyse(tables, at, rows())
    steps = tables.steps(at.layer, at.kind, at.level, at.setting)[:, None]
    expected = coordinates(tables, at.layer, at.kind, at.setting, rows().astype(np.float64))
    np.testing.assert_allclose(y * steps, expected, atol=1e-3)


def test_the_first_token_has_a_mean_of_its_own() -> None:
    tables = small_tables()
    for setting, which in ((FIRST, 1), (BODY, 0)):
        x = np.repeat(tables.means[which, 1, 0][None], BLOCK, axis=0)
        assert np.abs(analyse(tables, Place(1, 0, 3, setting), x)).max() == 0


def test_rows_stay_as_they_were() -> None:
    x = rows()
    before = x.copy()
    y = analyse(small_tables(), PLACES[3], x)
    kept = y.copy()
    synthesise(small_tables(), PLACES[3], y)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_no_value_is_too_large_to_have_coordinates(at: Place) -> None:
    x = rows()
    x[0, :8], x[0, 8:], x[1] = 3.4e38, -3.4e38, 3.4e38
    y = analyse(small_tables(), at, x)
    assert not np.isnan(y).any()
    assert np.abs(y[0]).max() > 32767


def test_steps_too_small_for_a_value_make_it_infinite_and_not_wrong() -> None:
    tiny = replace(small_tables(), level_shifts=np.full(7, -270, np.int32))
    x = rows()
    x[0] = 1e18
    assert not np.isnan(analyse(tiny, PLACES[3], x)).any()
