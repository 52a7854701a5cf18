"""A Llama-like decoder taken apart into layers, over the modules that transformers loaded.

Weights, norms and MLPs are transformers' own; what is ours is the order of calls, so that each
layer can be run for any tokens, with keys and values from anywhere. Tests compare it with
transformers' own forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from cachemw_codecs.hf.rotary import Rotary
from torch import Tensor
from transformers import PreTrainedModel

from cachemw.engine.model.turns import Turns


@dataclass(frozen=True, slots=True)
class Geometry:
    """A model's sizes.

    `layer_weights` and `kv_weights` are parameters of one layer, and of its projections to keys and
    values: what a token-layer costs, and what K and V alone cost.
    """

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    width: int
    vocabulary: int
    context_length: int
    layer_weights: int
    kv_weights: int
    dtype: torch.dtype
    device: torch.device

    def kv_bytes(self, tokens: int) -> int:
        """Bytes of keys and values of so many tokens in all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize * tokens


@dataclass(frozen=True, slots=True)
class Projected:
    """What a layer makes of its input.

    `queries` [heads, tokens, head_dim], `keys` and `values` [kv_heads, tokens, head_dim]; queries
    and keys before RoPE.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor


class Decoder:
    """The model's layers. Tensors are [tokens, width] between layers; there is no batch axis."""

    def __init__(self, model: PreTrainedModel) -> None:
        rotary = Rotary.of(model)
        if rotary is None:
            raise ValueError("the model has no rotary embedding; ask `require_supported` first")
        self.rotary = rotary
        body: Any = model.base_model
        self._body = body
        self._head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        self.geometry = _geometry(model)
        self.scale = float(body.layers[0].self_attn.scaling)

    def turns(self, positions: Tensor) -> Turns:
        """Return the rotary embedding at `positions`, int64 [tokens]."""
        return Turns.at(self.rotary, positions.to(self.geometry.device))

    def embed(self, tokens: Tensor) -> Tensor:
        """Int64 [tokens] -> [tokens, width]."""
        embedded: Tensor = self._body.embed_tokens(tokens.to(self.geometry.device))
        return embedded

    def project(self, layer: int, hidden: Tensor) -> Projected:
        """Return queries, keys and values of `hidden`, [tokens, width]."""
        block = self._body.layers[layer]
        attention, normed = block.self_attn, block.input_layernorm(hidden)
        shape = (len(hidden), -1, self.geometry.head_dim)
        queries = attention.q_proj(normed).view(shape)
        if hasattr(attention, "q_norm"):
            queries = attention.q_norm(queries)
        return Projected(queries.transpose(0, 1), *self._keys_values(attention, normed, shape))

    def keys_values(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys (before RoPE) and values alone."""
        block = self._body.layers[layer]
        normed = block.input_layernorm(hidden)
        shape = (len(hidden), -1, self.geometry.head_dim)
        return self._keys_values(block.self_attn, normed, shape)

    def finish(self, layer: int, hidden: Tensor, attended: Tensor) -> Tensor:
        """Return the layer's output, [tokens, width] like its input `hidden`.

        `attended`, [tokens, heads x head_dim], is what attention gave.
        """
        block = self._body.layers[layer]
        hidden = hidden + block.self_attn.o_proj(attended)
        output: Tensor = hidden + block.mlp(block.post_attention_layernorm(hidden))
        return output

    def logits(self, hidden: Tensor) -> Tensor:
        """[tokens, width] after the last layer -> [tokens, vocabulary] float32."""
        logits: Tensor = self._head(self._body.norm(hidden))
        return logits.float()

    def _keys_values(
        self, attention: Any, normed: Tensor, shape: tuple[int, int, int]
    ) -> tuple[Tensor, Tensor]:
        keys = attention.k_proj(normed).view(shape)
        if hasattr(attention, "k_norm"):
            keys = attention.k_norm(keys)
        values = attention.v_proj(normed).view(shape)
        return keys.transpose(0, 1), values.transpose(0, 1)


def _geometry(model: PreTrainedModel) -> Geometry:
    config: Any = model.config
    body: Any = model.base_model
    block = body.layers[0]
    attention = block.self_attn
    kv = sum(p.numel() for m in (attention.k_proj, attention.v_proj) for p in m.parameters())
    return Geometry(
        layers=int(config.num_hidden_layers),
        heads=int(config.num_attention_heads),
        kv_heads=int(config.num_key_value_heads),
        head_dim=int(attention.head_dim),
        width=int(config.hidden_size),
        vocabulary=int(config.vocab_size),
        context_length=int(config.max_position_embeddings),
        layer_weights=sum(p.numel() for p in block.parameters()),
        kv_weights=kv,
        dtype=model.dtype,
        device=model.device,
    )
