import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.kv.quality.baselines.bits import (
    dequantise,
    pack,
    packed_size,
    quantise,
    quantised_size,
    unpack,
)


@given(st.integers(1, 8), st.integers(1, 100), st.integers(0, 2**32 - 1))
def test_packing_is_undone_and_takes_no_bit_more(bits: int, count: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(1 << bits, size=count).astype(np.uint8)
    packed = pack(codes, bits)
    assert len(packed) == packed_size(count, bits) == -(-count * bits // 8)
    assert np.array_equal(unpack(packed, bits, count), codes)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_value_is_off_by_half_a_step_at_most(bits: int) -> None:
    groups = np.random.default_rng(5).normal(3, 2, size=(40, 32)).astype(np.float32)
    payload = quantise(groups, bits)
    assert len(payload) == quantised_size(40, 32, bits)
    step = (groups.max(axis=1) - groups.min(axis=1)) / ((1 << bits) - 1)
    off = np.abs(dequantise(payload, 40, 32, bits) - groups).max(axis=1)
    # The zero point and the step are float16 themselves.
    assert (off < 0.51 * step + 2e-2).all()
    assert (off > 0.2 * step).all()


def test_a_constant_group_comes_back() -> None:
    groups = np.full((3, 16), -0.5, np.float32)
    assert np.array_equal(dequantise(quantise(groups, 2), 3, 16, 2), groups)
