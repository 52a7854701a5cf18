"""What is refused, and that the reason names the setting."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import (
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from cachemw.engine.errors import UnsupportedModel
from cachemw.engine.model.support import require_supported

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


def llama(**changed: Any) -> LlamaConfig:
    config = LlamaConfig(**SIZES)
    for name, value in changed.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SIZES),
        MistralConfig(**SIZES, sliding_window=None),
        Qwen2Config(**SIZES),
        Qwen3Config(**SIZES),
        llama(rope_parameters={"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0}),
    ],
)
def test_the_four_architectures_are_admitted(config: PretrainedConfig) -> None:
    require_supported(config)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (GPT2Config(), "model_type 'gpt2'"),
        (MistralConfig(**SIZES, sliding_window=64), "sliding_window 64"),
        (Qwen2Config(**SIZES, use_sliding_window=True, max_window_layers=1), "use_sliding_window"),
        (llama(layer_types=["full_attention", "sliding_attention"]), "layer_types"),
        (llama(rope_parameters={"rope_type": "dynamic", "factor": 2.0}), "rope_type 'dynamic'"),
        (llama(rope_parameters={"rope_type": "longrope"}), "rope_type 'longrope'"),
        (llama(rope_parameters={"full_attention": {"rope_type": "dynamic"}}), "rope_parameters"),
        (llama(rope_parameters={"partial_rotary_factor": 0.5}), "partial_rotary_factor 0.5"),
        (llama(quantization_config={"bits": 4}), "quantization_config"),
        (llama(attn_logit_softcapping=50.0), "attn_logit_softcapping"),
        (llama(num_key_value_heads=3), "does not divide"),
        (llama(head_dim=7), "head_dim 7 is odd"),
    ],
)
def test_the_reason_names_the_setting_at_fault(config: PretrainedConfig, reason: str) -> None:
    with pytest.raises(UnsupportedModel, match=reason):
        require_supported(config)
