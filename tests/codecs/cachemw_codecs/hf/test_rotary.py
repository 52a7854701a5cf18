from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf.rotary import Rotary
from hypothesis import given
from hypothesis import strategies as st


@given(
    pairs=st.integers(1, 8),
    passed=st.integers(0, 4),
    interleaved=st.booleans(),
    scaling=st.floats(0.5, 2.0),
    start=st.integers(0, 100_000),
    seed=st.integers(0, 2**31),
)
def test_there_and_back(
    pairs: int, passed: int, interleaved: bool, scaling: float, start: int, seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    keys = torch.randn(2, 5, 2 * pairs + passed, generator=rng)
    rotary = Rotary(torch.rand(pairs, generator=rng), scaling, interleaved)
    positions = torch.arange(start, start + 5)
    turned = rotary.turn(keys, positions)
    torch.testing.assert_close(rotary.turn_back(turned, positions), keys, rtol=1e-5, atol=1e-5)
    assert torch.equal(turned[..., 2 * pairs :], keys[..., 2 * pairs :])
    norms = turned[..., : 2 * pairs].norm(dim=-1)
    torch.testing.assert_close(norms, scaling * keys[..., : 2 * pairs].norm(dim=-1))


def test_a_quarter_turn() -> None:
    keys = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    quarter, one = torch.tensor([math.pi / 2, 0.0]), torch.tensor([1])
    halves = Rotary(quarter, 1.0, interleaved=False).turn(keys, one)
    torch.testing.assert_close(halves, torch.tensor([[[-3.0, 2.0, 1.0, 4.0, 5.0]]]))
    pairs = Rotary(quarter, 2.0, interleaved=True).turn(keys, one)
    torch.testing.assert_close(pairs, torch.tensor([[[-4.0, 2.0, 6.0, 8.0, 5.0]]]))


@pytest.mark.parametrize(
    ("kind", "interleaved", "pairs"),
    [("llama", False, 8), ("glm", True, 4), ("cohere", True, 8), ("gpt_neox", False, 2)],
)
def test_the_models_way_is_found(build: Any, kind: str, interleaved: bool, pairs: int) -> None:
    rotary = Rotary.of(build(kind))
    assert rotary is not None
    assert (rotary.interleaved, rotary.inv_freq.numel()) == (interleaved, pairs)


def test_yarn_scales_keys(build: Any) -> None:
    rotary = Rotary.of(build("llama-yarn"))
    assert rotary is not None
    assert rotary.scaling == pytest.approx(0.1 * math.log(4.0) + 1.0)


def test_layers_that_differ_are_refused(build: Any) -> None:
    model = build("llama")
    other = build("llama", rope_parameters={"rope_type": "default", "rope_theta": 77.0})
    model.model.layers[1].rotary_emb = other.model.rotary_emb
    with pytest.raises(InvalidInput, match="differs between layers"):
        Rotary.of(model)


def test_two_axes_are_refused(build: Any) -> None:
    model = build("llama")
    model.model.rotary_emb.inv_freq = torch.ones(2, 8)
    with pytest.raises(InvalidInput, match="more than one axis"):
        Rotary.of(model)
