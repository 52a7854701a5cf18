from __future__ import annotations

import numpy as np
from cachemw_codecs.transform.blocks import BLOCK, backward, cosines, forward
from scipy.fft import dct  # type: ignore[import-untyped]


def test_the_cosines_are_orthonormal() -> None:
    matrix = cosines()
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(BLOCK), atol=1e-6)


def test_forward_is_the_transform_over_each_blocks_tokens() -> None:
    rows = np.random.default_rng(1).normal(0, 3, (5 * BLOCK, 6)).astype(np.float32)
    coefficients = forward(rows)
    assert coefficients.shape == (5, BLOCK, 6)
    for block in range(5):
        expected = dct(rows[block * BLOCK :][:BLOCK].astype(np.float64), axis=0, norm="ortho")
        np.testing.assert_allclose(coefficients[block], expected, atol=1e-5)


def test_a_block_of_one_value_has_its_energy_at_frequency_zero() -> None:
    coefficients = forward(np.full((BLOCK, 2), 3.0, np.float32))
    np.testing.assert_allclose(coefficients[0, 0], 3 * np.sqrt(BLOCK), rtol=1e-6)
    np.testing.assert_allclose(coefficients[0, 1:], 0, atol=1e-5)


def test_backward_undoes_forward() -> None:
    rows = np.random.default_rng(2).normal(0, 3, (4 * BLOCK, 7)).astype(np.float32)
    back = backward(forward(rows))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, rows, atol=1e-5)


def test_no_blocks_are_no_rows() -> None:
    nothing = np.empty((0, 7), np.float32)
    assert forward(nothing).shape == (0, BLOCK, 7)
    assert backward(forward(nothing)).shape == (0, 7)
