"""Weights as they are shipped."""

from __future__ import annotations

from pathlib import Path

import torch

from loadtests.verifier.model import Lora, load_model
from loadtests.verifier.quantise import load_quantised, quantised, restored, weights


def test_rows_are_restored_to_half_a_step() -> None:
    state = {"matrix": torch.randn(8, 5), "few": torch.randn(2, 5), "vector": torch.randn(5)}
    small = quantised(state)
    assert small["matrix"].dtype == torch.int8
    assert set(small) == {"matrix", "matrix.scale", "few", "vector"}
    step = state["matrix"].abs().amax(1, keepdim=True) / 127
    # Half a step by rounding, and what the scale loses as float16.
    assert ((restored(small)["matrix"] - state["matrix"]).abs() <= 0.6 * step).all()
    assert torch.equal(restored(small)["few"], state["few"])


def test_a_row_of_zeros_stays_one() -> None:
    assert torch.equal(restored(quantised({"m": torch.zeros(4, 4)}))["m"], torch.zeros(4, 4))


def test_a_model_is_put_back_without_the_embedders_embeddings(tiny: Path) -> None:
    torch.manual_seed(1)
    model = load_model(tiny, "cpu").eval()
    small = quantised(weights(model))
    assert not any("word_embeddings" in name or "position_emb" in name for name in small)
    other = load_model(tiny, "cpu").eval()
    with torch.no_grad():
        other.head.weight.fill_(9)
        other.encoder.encoder.layer[0].output.dense.weight.fill_(9)  # type: ignore[union-attr, operator]
    load_quantised(other, small)
    ids = torch.tensor([[1, 5, 2, 6, 2]])
    inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    assert torch.allclose(model(*inputs), other(*inputs), atol=0.01)


def test_low_rank_updates_are_merged(tiny: Path) -> None:
    model = load_model(tiny, "cpu", rank=2)
    first = next(module for module in model.modules() if isinstance(module, Lora))
    with torch.no_grad():
        first.up.normal_()
    state = weights(model)
    assert set(state) == set(weights(load_model(tiny, "cpu")))
    name = "encoder.encoder.layer.0.attention.self.query.weight"
    assert torch.allclose(state[name].float(), first.merged(), atol=1e-2)
