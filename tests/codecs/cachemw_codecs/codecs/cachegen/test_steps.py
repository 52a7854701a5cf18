from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.cachegen.steps import (
    GROUP,
    LARGEST,
    MULTIPLES,
    PAPER,
    anchor_of,
    exponents_of,
    finest_bin,
    is_anchor,
    quantised_by,
    scales_of,
)
from hypothesis import given
from hypothesis import strategies as st

TINY = float(np.finfo(np.float32).tiny)
PEAKS = st.floats(2.0**-90, 2.0**90, width=32)


def test_the_bins_of_level_medium_are_the_papers() -> None:
    medium = MULTIPLES[LADDER.index("medium")]
    bins = [finest_bin(layer, 6) * medium for layer in range(6)]
    assert bins == pytest.approx([0.5, 0.5, 1.0, 1.0, 1.5, 1.5])
    assert medium == PAPER


def test_thirds_of_a_number_that_is_not_divided_by_three() -> None:
    assert [round(finest_bin(layer, 8) * PAPER, 3) for layer in range(8)] == [
        0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.5, 1.5,
    ]  # fmt: skip
    assert finest_bin(0, 1) * PAPER == pytest.approx(0.5)


def test_there_is_a_multiple_for_each_level_and_all_are_odd() -> None:
    assert len(MULTIPLES) == len(LADDER)
    assert list(MULTIPLES) == sorted(set(MULTIPLES))
    assert all(multiple % 2 for multiple in MULTIPLES)


@given(st.integers(1, 50))
def test_every_tenth_token_is_an_anchor_and_the_others_are_of_the_one_before(tokens: int) -> None:
    anchors = np.flatnonzero(is_anchor(tokens))
    assert anchors.tolist() == list(range(0, tokens, GROUP))
    others = np.flatnonzero(~is_anchor(tokens))
    assert (anchors[anchor_of(tokens)] == others // GROUP * GROUP).all()


@given(st.lists(PEAKS, min_size=1))
def test_a_scale_is_the_least_that_reaches_the_peak(values: list[float]) -> None:
    peaks = np.array(values, np.float32)
    exponents = exponents_of(peaks)
    wanted = peaks / np.float32(LARGEST)
    assert (scales_of(exponents) >= wanted).all()
    assert (scales_of(exponents - 1) < wanted).all()


@given(st.integers(-927, 927))
def test_scales_are_eighths_of_octaves(exponent: int) -> None:
    scale = scales_of(np.array([exponent], np.int32))
    assert scale.dtype == np.float32
    assert scale[0] == pytest.approx(2.0 ** (exponent / 8), rel=1e-7)
    assert scale[0] >= TINY


def test_a_quotient_too_large_is_infinite_and_no_warning() -> None:
    rows = np.array([[3e38, -3e38, 1.6]], np.float32)
    steps = np.array([1e-3, 1e-3, 1.0], np.float32)
    assert quantised_by(rows, steps).tolist() == [[np.inf, -np.inf, 2.0]]
