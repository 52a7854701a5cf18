from __future__ import annotations

import pytest
import torch
from cachemw_codecs.codecs.framing import Reader
from cachemw_codecs.codecs.scales import (
    from_steps,
    in_steps,
    read_steps,
    require_steps,
    steps_as_bytes,
    steps_of,
)
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape
from hypothesis import given
from hypothesis import strategies as st

from tests.codecs.cachemw_codecs.codecs.layers import finite_layers

LARGEST = st.sampled_from((1, 3, 7, 127, 448, 57344))


@given(kv=finite_layers(), largest=LARGEST)
def test_no_row_passes_the_largest_code_and_none_wastes_it(kv: LayerKV, largest: int) -> None:
    peaks = kv.keys.double().abs().amax(dim=-1)
    steps = steps_of(kv.keys, largest).double()
    assert bool(((steps == 0) == (peaks == 0)).all())
    # Half a step above is allowed to the largest float32 alone.
    assert bool((peaks < steps * (largest + 0.5) + (peaks == 0)).all())
    ordinary = (peaks > 1e-30) & (peaks < 3.3e38)
    assert bool((peaks <= steps * largest * (1 + 1e-6))[ordinary].all())
    assert bool((peaks >= steps * largest * (1 - 1 / 120))[ordinary].all())
    assert bool((in_steps(kv.keys, steps_of(kv.keys, largest)).abs().round() <= largest).all())


@given(kv=finite_layers())
def test_steps_come_back_from_their_bytes(kv: LayerKV) -> None:
    steps = steps_of(kv.keys, 127)
    reader = Reader(steps_as_bytes(steps))
    assert torch.equal(read_steps(reader, kv.shape), steps)
    reader.end()


@pytest.mark.parametrize("step", [float("nan"), float("inf"), -1.0, -0.0])
def test_steps_that_no_encoder_writes_are_refused(step: float) -> None:
    written = steps_as_bytes(torch.tensor([[1.0, step]], dtype=torch.bfloat16))
    with pytest.raises(DamagedData, match="steps"):
        read_steps(Reader(written), LayerShape(1, 2, 4, torch.bfloat16))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_largest_number_does_not_become_infinite(dtype: torch.dtype) -> None:
    most = torch.finfo(dtype).max
    part = torch.full((1, 1, 2), most, dtype=dtype)
    steps = steps_of(part, 1)
    # float16: its step, 65 536, is no float16.
    restored = from_steps(in_steps(part, steps).round(), steps, dtype)
    assert restored.flatten().tolist() == pytest.approx([most, most], rel=1 / 128)


def test_what_has_no_steps_is_refused() -> None:
    part = torch.ones(1, 2, 3)
    assert require_steps(LayerKV(part, part)) == LayerShape(1, 2, 3, torch.float32)
    with pytest.raises(InvalidInput, match="values"):
        require_steps(LayerKV(part, part / 0))
    with pytest.raises(InvalidInput, match="keys"):
        require_steps(LayerKV(part[0], part[0]))
