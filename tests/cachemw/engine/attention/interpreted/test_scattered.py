from __future__ import annotations

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cachemw.engine.attention.masked import MaskedAttention
from cachemw.engine.attention.scattered import ScatteredAttention

DEVICE = torch.device("cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    kv_heads=st.integers(1, 2),
    group=st.integers(1, 3),
    count=st.integers(1, 140),
    unqueried=st.integers(0, 100),
    dim=st.sampled_from([16, 24, 64]),
)
def test_it_attends_as_the_written_mask_does(
    seed: int, kv_heads: int, group: int, count: int, unqueried: int, dim: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    length = count + unqueried
    queries = torch.randn(kv_heads * group, count, dim, generator=generator).to(DEVICE)
    buffer = torch.randn(2, kv_heads, length + 7, dim, generator=generator).to(DEVICE)
    keys, values = buffer[0, :, :length], buffer[1, :, :length]
    chosen = torch.randperm(length, generator=generator)[:count]
    positions = chosen.sort().values.to(DEVICE)
    expected = MaskedAttention().attend(queries, keys, values, positions, 0.3)
    got = ScatteredAttention().attend(queries, keys, values, positions, 0.3)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16])
def test_halves_stay_within_their_rounding(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    queries = torch.randn(4, 5, 32, generator=generator).to(DEVICE, dtype)
    keys, values = torch.randn(2, 2, 70, 32, generator=generator).to(DEVICE, dtype)
    positions = torch.tensor([0, 3, 31, 32, 69], device=DEVICE)
    exact = MaskedAttention().attend(queries.float(), keys.float(), values.float(), positions, 0.2)
    got = ScatteredAttention().attend(queries, keys, values, positions, 0.2)
    assert got.dtype == dtype
    torch.testing.assert_close(got.float(), exact, rtol=2e-2, atol=2e-2)


def test_bfloat16_is_refused() -> None:
    rows = torch.zeros(1, 1, 16, device=DEVICE, dtype=torch.bfloat16)
    with pytest.raises(TypeError, match="bfloat16"):
        ScatteredAttention().attend(rows, rows, rows, torch.tensor([0], device=DEVICE), 1.0)
