"""Shapes of the lab's models, and attention that keeps packed documents apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from loadtests.lab.tokens import LabTokenizer

CONTEXT = 2048
VOCABULARY = 4096
_PACKED = "lab_packed"


@dataclass(frozen=True)
class Shape:
    """What a Llama's size is made of."""

    hidden: int
    mlp: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int


SHAPES = {
    # 7.3 million parameters: 14.7 MB in bfloat16, KV cache of 4 KiB a token in the same.
    "lab": Shape(hidden=256, mlp=768, layers=8, heads=4, kv_heads=2, head_dim=64),
    # 29.9 million: 59.8 MB, 8 KiB a token; head_dim is that of models in use.
    "large": Shape(hidden=512, mlp=1408, layers=8, heads=8, kv_heads=2, head_dim=128),
}


def lab_config(tokenizer: LabTokenizer, context: int, shape: Shape = SHAPES["lab"]) -> LlamaConfig:
    """Llama of `shape` for `tokenizer`, embeddings tied."""
    return LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=shape.hidden,
        intermediate_size=shape.mlp,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_id,
        eos_token_id=tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id,
    )


def new_model(config: LlamaConfig, seed: int, device: torch.device) -> LlamaForCausalLM:
    """Initialise a float32 model whose attention takes masks from `packed_mask`."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    if device.type == "cuda":
        ALL_ATTENTION_FUNCTIONS.register(_PACKED, _packed_attention)
        model.set_attn_implementation(_PACKED)
    else:
        model.set_attn_implementation("sdpa")
    model.to(device)  # type: ignore[arg-type]
    return model


def packed_mask(
    documents: Tensor, make_block_mask: Callable[..., BlockMask] = create_block_mask
) -> BlockMask | Tensor:
    """Causal attention within documents, for `documents` of shape (rows, context).

    On a GPU a block mask, which skips what it masks; elsewhere a dense (rows, 1, context, context)
    one. Padding attends to padding, so that no softmax is empty. A compiled `make_block_mask`
    spares the GPU the dense mask.
    """
    rows, context = documents.shape
    if documents.device.type != "cuda":
        causal = torch.ones(context, context, dtype=torch.bool, device=documents.device).tril()
        same = documents[:, :, None] == documents[:, None, :]
        return (same & causal)[:, None]

    def visible(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[row, query] == documents[row, key])

    return make_block_mask(visible, rows, None, context, context, device=documents.device)


def packed_loss(
    model: nn.Module, tokens: Tensor, weights: Tensor, mask: BlockMask | Tensor
) -> Tensor:
    """Weighted mean loss in nats per token of predicting each token from those before it.

    Shapes (rows, context); a document's first token has weight 0, so none predicts across the gap.
    """
    logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
    losses = nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten(), reduction="none"
    )
    counted = weights[:, 1:].flatten()
    return (losses * counted).sum() / counted.sum()


def _packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: BlockMask,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Flex attention over (rows, heads, context, head_dim), in the autocast type.

    Rotary embeddings leave queries and keys in float32 under autocast, which flex attention,
    unlike scaled dot-product attention, does not cast back.
    """
    del module, dropout, kwargs
    attended = flex_attention(
        query.to(value.dtype),
        key.to(value.dtype),
        value,
        block_mask=attention_mask,
        scale=scaling,
        enable_gqa=True,
    )
    assert isinstance(attended, Tensor)  # no auxiliary output was asked for
    return attended.transpose(1, 2).contiguous(), None
