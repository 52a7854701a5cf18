"""Weights as they are shipped: int8 rows with a scale each, without the embedder's embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from loadtests.verifier.model import CrossEncoder, Lora

_EMBEDDERS = ("word_embeddings", "position_embeddings")
SCALE = ".scale"


def weights(model: CrossEncoder) -> dict[str, Tensor]:
    """Return what differs from the embedder's model, updates merged, as float16."""
    state, inside = {}, []
    for name, module in model.named_modules():
        if isinstance(module, Lora):
            state[f"{name}.weight"] = module.merged()
            state[f"{name}.bias"] = module.layer.bias
            inside.append(f"{name}.")
    for name, value in model.state_dict().items():
        merged = any(name.startswith(prefix) for prefix in inside)
        if not merged and not any(part in name for part in _EMBEDDERS):
            state[name] = value
    return {name: value.detach().half().contiguous().cpu() for name, value in state.items()}


def quantised(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return matrices as int8 with a scale for each row, the rest as it is."""
    small = {}
    for name, value in state.items():
        # Not the two rows of token types, nor the head's one.
        if value.dim() != 2 or min(value.shape) <= 2:
            small[name] = value
            continue
        scale = value.float().abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        small[name] = torch.round(value.float() / scale).to(torch.int8)
        small[f"{name}{SCALE}"] = scale.squeeze(1).half()
    return small


def restored(small: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return quantised weights as float32."""
    whole = {}
    for name, value in small.items():
        if not name.endswith(SCALE):
            scale = small.get(f"{name}{SCALE}")
            whole[name] = value.float() if scale is None else value.float() * scale.float()[:, None]
    return whole


def load_quantised(model: CrossEncoder, small: Mapping[str, Tensor]) -> None:
    """Put quantised weights back into a model, where it has ones of these names."""
    own = model.state_dict()
    with torch.no_grad():
        for name, value in restored(small).items():
            if name in own:
                own[name].copy_(value)
