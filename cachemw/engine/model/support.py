"""Which models the engine serves with exact results, told from the config before weights load."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

from cachemw.engine.errors import UnsupportedModel

_ARCHITECTURES = ("llama", "mistral", "qwen2", "qwen3")
_ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Fixed frequencies: those of dynamic and longrope depend on the length, so that a stored key could
not be turned to another place."""


def require_supported(config: PretrainedConfig) -> None:
    """Refuse a model that the decoder does not compute exactly.

    Raises:
        UnsupportedModel: with the setting at fault.
    """
    for check in (_architecture, _window, _rope, _sizes):
        reason = check(config)
        if reason is not None:
            raise UnsupportedModel(reason)


def _architecture(config: Any) -> str | None:
    if config.model_type not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        return f"model_type {config.model_type!r} is none of {known}"
    if getattr(config, "quantization_config", None) is not None:
        return "quantization_config: quantised weights are not supported"
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        if getattr(config, name, None) is not None:
            return f"{name}: capped scores are not supported"
    return None


def _window(config: Any) -> str | None:
    if config.model_type == "mistral" and config.sliding_window is not None:
        return f"sliding_window {config.sliding_window}: attention must see all tokens before"
    if getattr(config, "use_sliding_window", False):
        return "use_sliding_window: attention must see all tokens before"
    other = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    return f"layer_types {sorted(other)}: only full_attention is supported" if other else None


def _rope(config: Any) -> str | None:
    rope: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    if any(isinstance(value, dict) for value in rope.values()):
        return "rope_parameters: differ between layers"
    kind = rope.get("rope_type", "default")
    if kind not in _ROPE_TYPES:
        return f"rope_type {kind!r} is none of {', '.join(_ROPE_TYPES)}"
    partial = rope.get("partial_rotary_factor", getattr(config, "partial_rotary_factor", None))
    if partial is not None and partial != 1:
        return f"partial_rotary_factor {partial}: all channels must turn"
    return None


def _sizes(config: Any) -> str | None:
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    if heads % kv_heads:
        return f"num_key_value_heads {kv_heads} does not divide num_attention_heads {heads}"
    dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return f"head_dim {dim} is odd: RoPE turns channels in pairs" if dim % 2 else None
