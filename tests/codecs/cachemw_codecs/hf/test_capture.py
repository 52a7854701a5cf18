from __future__ import annotations

from typing import Any

import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import capture
from cachemw_codecs.hf.capture import difference
from cachemw_codecs.hf.rotary import Rotary
from torch import nn

KINDS = [
    "llama", "llama-wide-heads", "llama-yarn", "llama-llama3", "mistral", "qwen2", "qwen3", "phi",
    "glm", "cohere", "olmo2", "phi3", "gpt_neox", "gpt2", "opt", "bloom", "mpt",
]  # fmt: skip
TURNED_BACK = {"phi3", "gpt_neox"}  # one projection for queries, keys and values: no hook fits
LEARNED = {"gpt2", "opt"}  # positions are in the input


@pytest.mark.parametrize("kind", KINDS)
def test_keys_and_values_are_those_of_the_cache_before_rope(
    build: Any, ids: torch.Tensor, kind: str
) -> None:
    model = build(kind)
    captured = capture(model, ids)
    with torch.no_grad():
        cache = model(input_ids=ids[None], use_cache=True).past_key_values
    rotary = Rotary.of(model)
    assert captured.exact == (kind not in TURNED_BACK)
    assert captured.positions.tolist() == list(range(40))
    assert len(captured.layers) == 3
    for layer, cached in zip(captured.layers, cache.layers, strict=True):
        assert torch.equal(layer.values, cached.values[0])
        keys = cached.keys[0]
        expected = rotary.turn_back(keys, captured.positions) if rotary else keys
        assert difference(layer.keys, expected) < 1e-5
        assert layer.keys.is_contiguous()
        if rotary:  # else this would pass with nothing turned
            assert difference(layer.keys, keys) > 0.1


@pytest.mark.parametrize("kind", sorted(set(KINDS) - LEARNED - {"bloom", "mpt"}))
def test_keys_before_rope_do_not_depend_on_where_the_text_stands(
    build: Any, ids: torch.Tensor, kind: str
) -> None:
    model = build(kind)
    here, there = capture(model, ids), capture(model, ids, torch.arange(100, 140))
    assert there.positions.tolist() == list(range(100, 140))
    for a, b in zip(here.layers, there.layers, strict=True):
        assert difference(a.keys, b.keys) < 1e-4
        assert difference(a.values, b.values) < 1e-4


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt_neox"])
def test_bfloat16(build: Any, ids: torch.Tensor, kind: str) -> None:
    layer = capture(build(kind, torch.bfloat16), ids).layers[0]
    exact = capture(build(kind), ids).layers[0]
    assert layer.keys.dtype == layer.values.dtype == torch.bfloat16
    assert difference(layer.keys, exact.keys) < 0.02


def test_exact_keys_are_what_the_projection_gave(build: Any, ids: torch.Tensor) -> None:
    model = build("llama", torch.bfloat16)
    given: list[torch.Tensor] = []
    projection = model.model.layers[1].self_attn.k_proj
    projection.register_forward_hook(lambda _module, _input, output: given.append(output))
    keys = capture(model, ids).layers[1].keys
    assert torch.equal(keys.transpose(0, 1).flatten(1), given[0][0])


def test_no_hook_stays(build: Any, ids: torch.Tensor) -> None:
    model = build("llama")
    capture(model, ids)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("kind", "settings", "exact"),
    [
        ("stablelm", {"qk_layernorm": True}, False),  # a norm of a name of its own
        ("olmo", {"clip_qkv": 0.5}, True),  # clips in place
    ],
)
def test_keys_changed_behind_the_projection(
    build: Any, ids: torch.Tensor, kind: str, settings: dict[str, Any], exact: bool
) -> None:
    model = build(kind, **settings)
    captured = capture(model, ids)
    assert captured.exact == exact
    with torch.no_grad():
        cached = model(input_ids=ids[None], use_cache=True).past_key_values.layers[1].keys[0]
    rotary = Rotary.of(model)
    assert rotary is not None
    turned = rotary.turn(captured.layers[1].keys, captured.positions)
    assert difference(turned, cached) < 1e-5


class _OddRotary(nn.Module):
    """Turns half of the tokens the other way."""

    def __init__(self, real: nn.Module) -> None:
        super().__init__()
        self.inv_freq, self.attention_scaling, self.real = real.inv_freq, 1.0, real

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> Any:
        return self.real(x, torch.where(position_ids % 2 == 0, position_ids, -3 * position_ids))


def test_an_unknown_rotary_embedding_is_refused(build: Any, ids: torch.Tensor) -> None:
    model = build("llama")
    model.model.rotary_emb = _OddRotary(model.model.rotary_emb)
    with pytest.raises(InvalidInput, match="keys of layer 0"):
        capture(model, ids)


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        ("mistral", {"sliding_window": 16}, "layer 0 keeps a DynamicSlidingWindow cache"),
        ("gemma3_text", {"head_dim": 16}, "differ between layers"),
        ("gemma2", {"head_dim": 16}, "SlidingWindow"),
        ("qwen3_next", {"head_dim": 16}, "Linear"),
        ("gptj", {"n_embd": 64, "n_head": 4, "n_layer": 2}, "no rotary embedding"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
            "dynamic",
        ),
        (
            "deepseek_v3",
            {"n_routed_experts": 4, "num_key_value_heads": 4, "n_group": 1, "topk_group": 1,
             "num_experts_per_tok": 2, "first_k_dense_replace": 3, "q_lora_rank": 16,
             "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8},
            "expected the same",
        ),
        ("smollm3", {"no_rope_layers": [1, 1, 0], "no_rope_layer_interval": 3}, "layer 2"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_handled_are_refused(
    build: Any, ids: torch.Tensor, kind: str, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        capture(build(kind, **settings), ids)


def test_longrope_is_refused(build: Any, ids: torch.Tensor) -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "short_factor": [1.0] * 8,
        "long_factor": [2.0] * 8,
        "original_max_position_embeddings": 256,
    }
    with pytest.raises(InvalidInput, match="longrope"):
        capture(build("phi3", rope_parameters=rope), ids)


@pytest.mark.parametrize("shape", [(), (0,), (2, 20)])
def test_ids_are_one_row(build: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="input_ids"):
        capture(build("llama"), torch.zeros(shape, dtype=torch.int64))


def test_a_model_in_training_is_refused(build: Any, ids: torch.Tensor) -> None:
    with pytest.raises(InvalidInput, match="training"):
        capture(build("llama").train(), ids)


def test_a_dtype_that_no_codec_knows_is_refused(build: Any, ids: torch.Tensor) -> None:
    with pytest.raises(InvalidInput, match="layer 0 keeps"):
        capture(build("llama", torch.float64), ids)


def test_a_layer_without_keys_of_its_own_is_refused(build: Any, ids: torch.Tensor) -> None:
    """Some models share the cache of one layer with those above."""
    model = build("llama")
    shared = model.model.layers[1].self_attn
    real = shared.forward

    def without_cache(*arguments: Any, past_key_values: Any, **more: Any) -> Any:
        return real(*arguments, past_key_values=None, **more)

    shared.forward = without_cache
    with pytest.raises(InvalidInput, match="layer 1 keeps no keys"):
        capture(model, ids)
