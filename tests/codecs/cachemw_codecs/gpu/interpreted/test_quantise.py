from __future__ import annotations

import numpy as np
import torch
from cachemw_codecs.gpu.quantise import limits_of, rounded, symbols_of
from cachemw_codecs.transform import quantise as cpu
from cachemw_codecs.transform.classes import ROUNDING


def _codable() -> np.ndarray:
    """Everything; up to 3; up to 3 and, past a gap, 9; no zero."""
    q = np.abs(np.arange(256) - 128)
    rows = [q >= 0, q <= 3, (q <= 3) | (q == 9), q > 0]
    codable = np.array(rows)
    codable[:, 0] = True
    return codable


def test_limits_are_where_symbols_end() -> None:
    assert limits_of(_codable()).tolist() == [127, 3, 3, -1]


def test_symbols_are_those_of_the_cpu() -> None:
    codable = _codable()[:2]
    y = np.random.default_rng(1).laplace(0, 60, (400, 2)).astype(np.float32)
    y[0], y[1], y[2] = (1e9, -1e9), (127.0, 3.0), (0.5, -3.59)
    expected = cpu.quantise(y, codable)
    q = rounded(torch.from_numpy(y), ROUNDING)
    symbols, escapes = symbols_of(q, torch.from_numpy(limits_of(codable)))
    np.testing.assert_array_equal(symbols.numpy(), expected.symbols)
    places = torch.nonzero(escapes.flatten()).flatten()
    np.testing.assert_array_equal(places.numpy(), expected.places)
    np.testing.assert_array_equal(q.flatten()[places].numpy(), expected.values)
