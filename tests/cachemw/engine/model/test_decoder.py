"""The decoder taken apart gives what transformers' own forward pass gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from cachemw.engine.attention.masked import MaskedAttention
from cachemw.engine.model.decoder import Decoder
from cachemw.engine.model.sequence_kv import SequenceKV

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0}
KINDS: dict[str, Any] = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES)),
    "llama-yarn": (LlamaForCausalLM, LlamaConfig(**SIZES, rope_parameters=YARN)),
    "mistral": (MistralForCausalLM, MistralConfig(**SIZES, sliding_window=None)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SIZES)),
}


@pytest.fixture(params=list(KINDS))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    torch.manual_seed(0)
    kind, config = KINDS[request.param]
    made: PreTrainedModel = kind(config)
    with torch.no_grad():  # norms of 1 would hide one that is left out
        for name, weight in made.named_parameters():
            if "norm" in name or "bias" in name:
                weight.uniform_(0.5, 1.5)
    made.train(mode=False)
    return made


def logits_of(model: PreTrainedModel, ids: Tensor, pieces: list[Tensor]) -> Tensor:
    """Run `pieces`, positions in ascending order, through all layers, one piece after another."""
    decoder = Decoder(model)
    kv = SequenceKV(decoder.geometry, len(ids) + 3)
    outputs = []
    for positions in pieces:
        turns, hidden = decoder.turns(positions), decoder.embed(ids[positions])
        for layer in range(decoder.geometry.layers):
            made = decoder.project(layer, hidden)
            kv.put(layer, positions, turns.turn(made.keys), made.values)
            keys, values = kv.upto(layer, int(positions[-1]) + 1)
            attended = MaskedAttention().attend(
                turns.turn(made.queries), keys, values, positions, decoder.scale
            )
            hidden = decoder.finish(layer, hidden, attended)
        outputs.append(decoder.logits(hidden))
    return torch.cat(outputs)


@pytest.mark.parametrize("cuts", [[20], [7, 13], [1] * 20])
def test_it_gives_the_logits_of_transformers_however_the_tokens_are_cut(
    model: PreTrainedModel, cuts: list[int]
) -> None:
    ids = torch.randint(0, 64, (20,), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(ids[None]).logits[0]
        found = logits_of(model, ids, _cut(cuts))
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def _cut(sizes: list[int]) -> list[Tensor]:
    return list(torch.split(torch.arange(sum(sizes)), sizes))


def test_keys_and_values_alone_are_those_of_the_projection(model: PreTrainedModel) -> None:
    decoder = Decoder(model)
    hidden = torch.randn(5, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        whole, (keys, values) = decoder.project(1, hidden), decoder.keys_values(1, hidden)
    assert torch.equal(whole.keys, keys)
    assert torch.equal(whole.values, values)


def test_the_geometry_counts_what_a_token_layer_costs(model: PreTrainedModel) -> None:
    geometry = Decoder(model).geometry
    assert (geometry.layers, geometry.heads, geometry.kv_heads, geometry.head_dim) == (3, 4, 2, 16)
    assert geometry.kv_bytes(10) == 2 * 3 * 2 * 16 * 4 * 10
    assert 2 * 32 * 2 * 16 <= geometry.kv_weights < geometry.layer_weights
