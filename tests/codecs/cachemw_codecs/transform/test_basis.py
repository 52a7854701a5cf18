from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.transform.basis import RIDGE, synthesis
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def definite(random: np.random.Generator, size: int) -> Matrix:
    factor = random.standard_normal((3 * size, size)) * random.uniform(0.3, 3, size)
    return np.asarray(factor.T @ factor / (3 * size))


def ridged(metric: Matrix) -> Matrix:
    return np.asarray(metric + RIDGE * np.trace(metric) / len(metric) * np.eye(len(metric)))


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 12))
@settings(max_examples=40)
def test_lengths_in_coordinates_are_the_metrics(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    metric = definite(random, size)
    basis = synthesis(definite(random, size), metric)
    y = random.standard_normal((20, size))
    x = y @ basis
    lengths = np.einsum("ti,ij,tj->t", x, ridged(metric), x)
    np.testing.assert_allclose(lengths, (y**2).sum(axis=1), rtol=1e-8)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 12))
@settings(max_examples=40)
def test_coordinates_are_uncorrelated_and_their_variances_fall(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    covariance = definite(random, size)
    analysis = np.linalg.inv(synthesis(covariance, definite(random, size)))
    of_y = analysis.T @ covariance @ analysis
    variances = np.diag(of_y)
    np.testing.assert_allclose(of_y, np.diag(variances), atol=1e-8 * variances[0])
    assert (np.diff(variances) <= 1e-9 * variances[0]).all()


@pytest.mark.parametrize("size", [1, 5])
def test_an_indifferent_metric_is_taken_as_the_identity(size: int) -> None:
    covariance = definite(np.random.default_rng(1), size)
    basis = synthesis(covariance, np.zeros((size, size)))
    np.testing.assert_allclose(basis @ basis.T, np.eye(size), atol=1e-12)


def test_directions_that_the_sample_did_not_mind_still_count() -> None:
    metric = np.diag([4.0, 0.0])
    basis = synthesis(np.eye(2), metric)
    assert np.isfinite(basis).all()
    # Sorted by variance in the metric: the one that matters comes first, in smaller steps.
    assert abs(basis[0, 0]) == pytest.approx(1 / np.sqrt(4 + 2 * RIDGE))
    assert abs(basis[1, 1]) == pytest.approx(1 / np.sqrt(2 * RIDGE))


def test_channels_that_never_vary_have_coordinates_too() -> None:
    covariance = np.diag([1.0, 0.0, 2.0])
    basis = synthesis(covariance, np.eye(3))
    assert abs(np.linalg.det(basis)) > 0.1
