"""Layers to a model's cache, and going on from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf.capture import counts_itself, require_evaluation, require_plain_cache
from cachemw_codecs.hf.rotary import Rotary
from cachemw_codecs.kv import LayerKV

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel


def restore(model: PreTrainedModel, layers: Sequence[LayerKV], positions: Tensor) -> DynamicCache:
    """Make the model's cache out of `layers`, keys before RoPE, turned to `positions`.

    `positions`: int64 [tokens], those of `capture` or others. Keys and values are cast to the
    model's dtype and moved to its device; the layers are not modified and not referred to.
    Models that learn positions (GPT-2, OPT) hold them in keys too: for these, other positions
    than those of `capture` give an approximation. Raises `InvalidInput` where the layers do not
    fit the model.
    """
    from transformers import DynamicCache  # noqa: PLC0415

    rotary = Rotary.of(model)
    require_plain_cache(model)
    wanted = model.config.get_text_config(decoder=True).num_hidden_layers
    if len(layers) != wanted:
        raise InvalidInput(f"layers: the model has {wanted}, got {len(layers)}")
    cache = DynamicCache(config=model.config)
    for number, layer in enumerate(layers):
        if layer.shape.tokens != positions.numel():
            raise InvalidInput(
                f"positions: {positions.numel()}, but layer {number} has {layer.shape.tokens}"
            )
        keys = layer.keys.to(model.device)
        values = layer.values.to(model.device, model.dtype, copy=True)
        if rotary is not None:
            keys = rotary.turn(keys, positions)
        cache.update(keys.to(model.dtype, copy=True)[None], values[None], number)
    return cache


def continue_logits(
    model: PreTrainedModel, cache: DynamicCache, ids: Tensor, positions: Tensor | None = None
) -> Tensor:
    """Read `ids`, int64 [new tokens], behind the `past` tokens in `cache`; adds them to it.

    Returns logits [new tokens, vocabulary] in float32, on the model's device; row i predicts the
    token after ids[i]. `positions`: int64 [new tokens], by default past, past + 1, ...: say
    them where the cache was restored to other positions than 0, 1, ...
    """
    with torch.no_grad():
        return differentiable_logits(model, cache, ids, positions)


def differentiable_logits(
    model: PreTrainedModel, cache: DynamicCache, ids: Tensor, positions: Tensor | None = None
) -> Tensor:
    """Do the same, and keep what is needed for gradients with respect to the cache."""
    require_evaluation(model)
    past, new = cache.get_seq_length(), ids.numel()
    if ids.ndim != 1 or not new:
        raise InvalidInput(f"ids: expected [tokens], got {list(ids.shape)}")
    if positions is None:
        positions = torch.arange(past, past + new)
    place = {} if counts_itself(model) else {"position_ids": positions[None].to(model.device)}
    out = model(
        input_ids=ids[None].to(model.device),
        past_key_values=cache,
        attention_mask=_mask(model, past, new),
        use_cache=True,
        **place,
    )
    logits: Tensor = out.logits[0].float()
    return logits


def _mask(model: PreTrainedModel, past: int, new: int) -> Tensor:
    """Every new token sees the past and the new ones up to itself.

    Written out wherever the attention takes it so. With no mask, SDPA reads more keys than
    queries as a causal square and drops the cache in front.
    """
    config = model.config.get_text_config(decoder=True)
    if counts_itself(model) or config._attn_implementation not in ("sdpa", "eager"):  # noqa: SLF001
        # These want to know which tokens are there, and make the mask themselves.
        return torch.ones(1, past + new, dtype=torch.int64, device=model.device)
    hidden = torch.ones(new, past + new, dtype=torch.bool, device=model.device).triu(past + 1)
    mask = torch.zeros(new, past + new, dtype=model.dtype, device=model.device)
    return mask.masked_fill_(hidden, torch.finfo(model.dtype).min)[None, None]
