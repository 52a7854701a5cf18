"""Models too small to know anything, of the kinds that differ in how they keep keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

_SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}
_LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "rope_theta": 1e4,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama-wide-heads": ("llama", {"head_dim": 32}),
    "llama-yarn": (
        "llama",
        {"rope_parameters": {**_YARN, "original_max_position_embeddings": 128}},
    ),
    "llama-llama3": ("llama", {"rope_parameters": _LLAMA3}),
    "mistral": ("mistral", {"sliding_window": None}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "phi": ("phi", {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}),
    "glm": ("glm", {"head_dim": 16}),
    "cohere": ("cohere", {}),
    "olmo2": ("olmo2", {}),
    "phi3": ("phi3", {}),
    "gpt_neox": (
        "gpt_neox",
        {"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.25}},
    ),
    "gpt2": ("gpt2", {}),
    "opt": ("opt", {"ffn_dim": 96, "word_embed_proj_dim": 64}),
    "bloom": ("bloom", {}),
    "mpt": ("mpt", {"d_model": 64, "n_heads": 4, "n_layers": 3}),
}
Build = Callable[..., PreTrainedModel]


@pytest.fixture
def build() -> Build:
    """Return a function that makes a model of a kind, with more settings of its configuration."""

    def make(kind: str, dtype: torch.dtype = torch.float32, **more: Any) -> PreTrainedModel:
        name, settings = KINDS.get(kind, (kind, {}))
        config = AutoConfig.for_model(name, **{**_SIZES, **settings, **more})
        with torch.random.fork_rng():
            torch.manual_seed(1)
            make_model: Any = AutoModelForCausalLM.from_config
            model: PreTrainedModel = make_model(config, dtype=dtype)
            # Larger than usual: keys that hardly differ would hide a wrong turn.
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    parameter.data.normal_(0.0, 0.15)
        model.train(mode=False)
        return model

    return make


@pytest.fixture
def ids() -> torch.Tensor:
    """Return 40 ids."""
    return torch.randint(3, 97, (40,), generator=torch.Generator().manual_seed(2))
