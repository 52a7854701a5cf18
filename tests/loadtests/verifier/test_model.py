"""The cross-encoder, its low-rank updates, and what is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from loadtests.verifier.model import Lora, groups, load_model


def test_padding_makes_no_difference(tiny: Path) -> None:
    model = load_model(tiny, "cpu").eval()
    ids = torch.tensor([[1, 5, 2, 6, 2]])
    types = torch.tensor([[0, 0, 0, 1, 1]])
    short = model(ids, torch.ones_like(ids), types)
    room = torch.zeros(1, 3, dtype=torch.long)
    mask = torch.cat([torch.ones_like(ids), room], 1)
    long = model(torch.cat([ids, room], 1), mask, torch.cat([types, room], 1))
    assert short.shape == (1,)
    assert torch.allclose(short, long, atol=1e-5)


def test_the_embedders_own_embeddings_stay(tiny: Path) -> None:
    model = load_model(tiny, "cpu")
    still = {name for name, each in model.named_parameters() if not each.requires_grad}
    assert still == {
        "encoder.embeddings.word_embeddings.weight",
        "encoder.embeddings.position_embeddings.weight",
    }


def test_another_architecture_is_refused(tiny: Path, tmp_path: Path) -> None:
    shutil.copy(tiny / "config.json", tmp_path)
    weights = load_file(tiny / "model.safetensors")
    weights["more"] = torch.zeros(1)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="more"):
        load_model(tmp_path, "cpu")


def test_an_update_begins_as_nothing_and_merges() -> None:
    layer = torch.nn.Linear(4, 3)
    lora = Lora(layer, 2)
    x = torch.randn(5, 4)
    assert torch.equal(lora(x), layer(x))
    with torch.no_grad():
        lora.up.normal_()
    merged = torch.nn.functional.linear(x, lora.merged(), layer.bias)
    assert not torch.allclose(lora(x), layer(x))
    assert torch.allclose(lora(x), merged, atol=1e-5)


def test_low_rank_trains_no_whole_matrix_but_the_heads(tiny: Path) -> None:
    model = load_model(tiny, "cpu", rank=2)
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    matrices = {n for n in trained if n.endswith("weight") and "LayerNorm" not in n}
    assert matrices == {"head.weight", "encoder.embeddings.token_type_embeddings.weight"}
    assert sum(name.endswith(".down") for name in trained) == 2 * 6


def test_lower_layers_move_less(tiny: Path) -> None:
    model = load_model(tiny, "cpu")
    found = groups(model, 1.0, 0.5, 0.01)
    names = [name for name, each in model.named_parameters() if each.requires_grad]
    rate = {name: group["lr"] for name, group in zip(names, found, strict=True)}
    assert rate["head.weight"] == 1.0
    assert rate["encoder.encoder.layer.1.output.dense.weight"] == 0.5
    assert rate["encoder.encoder.layer.0.output.dense.weight"] == 0.25
    assert rate["encoder.embeddings.token_type_embeddings.weight"] == 0.125
    decays = {name: group["weight_decay"] for name, group in zip(names, found, strict=True)}
    assert (decays["head.weight"], decays["head.bias"]) == (0.01, 0.0)
