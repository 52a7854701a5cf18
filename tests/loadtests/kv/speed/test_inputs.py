from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton")

from cachemw_codecs.coding.frequencies import SYMBOLS

from loadtests.kv.speed import inputs
from loadtests.kv.speed.forward import quantise
from loadtests.kv.speed.inputs import GEOMETRY, ROUNDING, TABLES


def test_probabilities_are_those_of_a_quantised_laplace() -> None:
    scale = 3.0
    weights, limits = inputs.probabilities(np.array([scale]))
    y = np.random.default_rng(1).laplace(0, scale, 400_000)
    q = np.sign(y) * np.floor(np.abs(y) + ROUNDING)
    q = np.where(np.abs(q) > limits[0], -128, q)
    drawn = np.bincount((q + 128).astype(int), minlength=SYMBOLS) / len(y)
    np.testing.assert_allclose(weights[0], drawn, atol=4e-3)
    assert weights.sum() == pytest.approx(1.0)
    assert 0 < weights[0, 0] < 2 * inputs.TAIL


@pytest.mark.parametrize("bits", [1.5, 2.2, 3.0])
def test_the_first_scale_gives_the_bits_asked_for(bits: float) -> None:
    assert inputs.bits_a_value(inputs.first_scale(bits)) == pytest.approx(bits, abs=1e-3)


def test_a_layer_costs_what_its_tables_say() -> None:
    model = inputs.make_model(2.2, 1, torch.Generator().manual_seed(1), torch.device("cpu"))
    assert len(model.tables) == TABLES
    drawn = inputs.draw_layer(model, 0, 200, torch.Generator().manual_seed(2))
    assert drawn.shape == (2, GEOMETRY.kv_heads, 200, GEOMETRY.head_dim)
    rows = drawn.transpose(1, 2).reshape(2, 200, -1)
    symbols, outside, _ = quantise(rows, model.forwards[0])
    columns = model.layers[0].columns.numpy().reshape(2, 1, -1)
    bits = model.tables.bits()[columns, symbols.numpy()]
    assert bits.mean() == pytest.approx(2.2, abs=0.1)
    assert 0 < len(outside) / symbols.numel() < 2 * inputs.TAIL
