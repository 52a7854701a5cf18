from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton")

from loadtests.kv.speed.forward import Forward, quantise


def _forward(rounding: float) -> tuple[Forward, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    basis = torch.linalg.qr(torch.randn(2, 16, 16, generator=generator)).Q
    means = torch.randn(2, 16, generator=generator)
    steps = 0.05 + torch.rand(2, 16, generator=generator) / 10
    limits = torch.full((2, 16), 127.0)
    return Forward.of(basis, means, steps, limits, rounding), basis, means, steps


def test_quantised_values_are_within_half_a_step() -> None:
    forward, basis, means, steps = _forward(0.5)
    values = torch.randn(2, 30, 16, generator=torch.Generator().manual_seed(4))
    symbols, outside, escaped = quantise(values, forward)
    q = symbols.float() - 128
    q.view(-1)[outside] = escaped.float()
    back = (q * steps[:, None]) @ basis + means[:, None]
    error = ((values - back) @ basis.transpose(1, 2)).abs() / steps[:, None]
    assert float(error.max()) < 0.501


def test_the_dead_zone_is_wider_where_rounding_is_less() -> None:
    values = torch.randn(2, 30, 16, generator=torch.Generator().manual_seed(4))
    zeros = [
        int((quantise(values, _forward(rounding)[0])[0] == 128).sum()) for rounding in (0.5, 0.2)
    ]
    assert zeros[1] > zeros[0]


def test_what_is_too_large_escapes() -> None:
    forward, basis, means, steps = _forward(0.5)
    y = torch.zeros(2, 3, 16)
    y[0, 1, 2], y[1, 2, 15], y[0, 0, 0] = 300.0, -128.0, -127.0
    values = (y * steps[:, None]) @ basis + means[:, None]
    symbols, outside, escaped = quantise(values, forward)
    assert outside.tolist() == [18, 95]
    assert escaped.tolist() == [300, -128]
    assert symbols.flatten()[outside].tolist() == [0, 0]
    assert int(symbols[0, 0, 0]) == 1
