"""The cross-encoder that is trained: MiniLM over both questions, a pooled vector, one logit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel

_FROZEN = ("word_embeddings", "position_embeddings")
"""What stays the embedder's own, so that the service has it in memory once."""


class CrossEncoder(nn.Module):
    """An encoder, the mean of its tokens, and a linear head."""

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.hidden_size, 1)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.head.weight, std=0.02)
        self.dropout = nn.Dropout(0.1)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Return logits, shape [batch]; all inputs are [batch, tokens]."""
        hidden = self.encoder(ids, mask, types).last_hidden_state
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weights).sum(1) / weights.sum(1)
        logits: Tensor = self.head(self.dropout(pooled)).squeeze(-1)
        return logits


class Lora(nn.Module):
    """A linear layer with a trained update of low rank (arXiv 2106.09685)."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(requires_grad=False)
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / math.sqrt(rank))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer does, and the update."""
        whole: Tensor = self.layer(x) + (x @ self.down.T) @ self.up.T
        return whole

    def merged(self) -> Tensor:
        """Return the weight with its update."""
        return self.layer.weight + self.up @ self.down


def load_model(folder: Path, device: str, dropout: float = 0.1, rank: int = 0) -> CrossEncoder:
    """Return a cross-encoder with the weights of the embedder's model in `folder`.

    `rank`: train updates of that rank instead of the matrices; 0 trains them whole. Raises
    ValueError where the weights are those of another architecture.
    """
    config = BertConfig.from_json_file(folder / "config.json")
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    config._attn_implementation = "sdpa"  # noqa: SLF001 - there is no other way for a bare config
    encoder = BertModel(config, add_pooling_layer=False)
    weights = {
        name: value.float()
        for name, value in load_file(folder / "model.safetensors").items()
        if "pooler" not in name and "position_ids" not in name
    }
    missing, extra = encoder.load_state_dict(weights, strict=False)
    missing = [name for name in missing if "position_ids" not in name]
    if missing or extra:
        raise ValueError(f"{folder}: {missing} missing, {extra} not known")
    for name, parameter in encoder.named_parameters():
        if any(part in name for part in _FROZEN):
            parameter.requires_grad = False
    model = CrossEncoder(encoder)
    if rank:
        _low_rank(encoder, rank)
    return model.to(device)


def _low_rank(encoder: BertModel, rank: int) -> None:
    encoder.requires_grad_(requires_grad=False)
    layer: Any  # torch knows the parts of a module by name only
    for layer in encoder.encoder.layer:
        for parent, name in (
            (layer.attention.self, "query"),
            (layer.attention.self, "key"),
            (layer.attention.self, "value"),
            (layer.attention.output, "dense"),
            (layer.intermediate, "dense"),
            (layer.output, "dense"),
        ):
            setattr(parent, name, Lora(getattr(parent, name), rank))
    for name, parameter in encoder.named_parameters():
        if "LayerNorm" in name or name.endswith("bias") or "token_type" in name:
            parameter.requires_grad = True


def groups(
    model: CrossEncoder, rate: float, layer_decay: float, decay: float
) -> list[dict[str, Any]]:
    """Return what is trained with its learning rate and weight decay, as an optimizer takes it.

    Lower layers move less: `layer_decay` to the power of how far one is below the head.
    """
    top = int(model.encoder.config.num_hidden_layers)
    found = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = top
        if ".layer." in name:
            depth = int(name.split(".layer.")[1].split(".")[0])
        elif "embeddings" in name:
            depth = -1
        still = name.endswith("bias") or "LayerNorm" in name
        found.append(
            {
                "params": [parameter],
                "lr": rate * layer_decay ** (top - depth),
                "weight_decay": 0.0 if still else decay,
            }
        )
    return found
