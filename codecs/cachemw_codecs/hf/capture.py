"""Reads tokens with a model and keeps the KV cache, keys as they were before RoPE.

Keys come exact, from a hook behind `k_norm` or `k_proj` of each attention layer, wherever these
give what, once turned, is in the model's cache. Otherwise (one projection for queries, keys and
values, clipped keys, ...) they are turned back out of the cache, to rounding. Either way is proved
on the model at hand, so that an unknown kind of rotary embedding is refused and not garbled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf.rotary import Rotary
from cachemw_codecs.kv import DTYPES, LayerKV

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

_PROOF_TOKENS = 64
_PROOF_SHIFT = 64
_SAME = 0.03
"""Relative difference up to which keys are the same: 16-bit cosines cost 0.004."""
_SAME_DEEP = 0.1
"""The same of two runs at other positions, whose rounding differs from the first layer on. Keys
turned in another way differ by 0.5 and more."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A model's cache of some tokens, on the CPU.

    `layers`: keys before RoPE and values, [kv_heads, tokens, head_dim] each, in the model's dtype.
    `positions`: int64 [tokens], where the tokens stood. `exact`: the keys are the very ones that
    the model computed; else they were turned back, to rounding.
    """

    layers: tuple[LayerKV, ...]
    positions: Tensor
    exact: bool


def capture(model: PreTrainedModel, input_ids: Tensor, positions: Tensor | None = None) -> Captured:
    """Prefill `input_ids`, int64 [tokens], at `positions` (int64 [tokens]; default: from 0).

    Raises `InvalidInput` for ids that are not such a row, for a model in training mode, and for a
    model whose cache cannot be taken and given back later: sliding windows, linear attention,
    latent attention, layers that share a cache, frequencies that change with the length.
    """
    if input_ids.ndim != 1 or not input_ids.numel():
        raise InvalidInput(f"input_ids: expected [tokens], got {list(input_ids.shape)}")
    require_evaluation(model)
    if positions is None:
        positions = torch.arange(input_ids.numel())
    rotary = Rotary.of(model)
    require_plain_cache(model)
    with _keys_of_layers(model) as hooked:
        cached = _prefill(model, input_ids, positions)
    if rotary is None:
        return _captured([keys for keys, _ in cached], cached, positions, exact=True)
    raw = [_as_cached(out, keys) for out, (keys, _) in zip(hooked, cached, strict=False)]
    if len(raw) == len(cached) and all(
        part is not None and _proved(rotary, part, keys, positions)
        for part, (keys, _) in zip(raw, cached, strict=True)
    ):
        return _captured([part for part in raw if part is not None], cached, positions, exact=True)
    _prove_turning_back(model, rotary, input_ids)
    turned = [rotary.turn_back(keys, positions).to(keys.dtype) for keys, _ in cached]
    return _captured(turned, cached, positions, exact=False)


def require_evaluation(model: PreTrainedModel) -> None:
    """Raise `InvalidInput` in training mode: dropout would be in the cache."""
    if model.training:
        raise InvalidInput("model: is in training mode; call model.eval()")


def require_plain_cache(model: PreTrainedModel) -> None:
    """Raise `InvalidInput` unless every layer keeps all its keys and values, and only those."""
    # Here and below: this package is of use without transformers.
    from transformers.cache_utils import DynamicCache, DynamicLayer  # noqa: PLC0415

    layers = DynamicCache(config=model.config).layers
    for number, layer in enumerate(layers):
        if type(layer) is not DynamicLayer:
            kind = type(layer).__name__.removesuffix("Layer")
            raise InvalidInput(f"model: layer {number} keeps a {kind} cache, not all keys")


def _prefill(
    model: PreTrainedModel, input_ids: Tensor, positions: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return keys and values of each layer, [kv_heads, tokens, head_dim], as cached."""
    # Without the head: logits of every token are the largest thing here, and nobody reads them.
    place = {} if counts_itself(model) else {"position_ids": positions[None].to(model.device)}
    body: Any = model.base_model
    with torch.no_grad():
        out = body(input_ids=input_ids[None].to(model.device), use_cache=True, **place)
    cache: Cache = out.past_key_values
    return [_checked(number, layer) for number, layer in enumerate(cache.layers)]


def counts_itself(model: PreTrainedModel) -> bool:
    """Models with a bias on the scores (ALiBi) take no positions."""
    return model.config.get_text_config(decoder=True).model_type in ("bloom", "mpt")


def _checked(number: int, layer: Any) -> tuple[Tensor, Tensor]:
    if layer.keys is None or layer.keys.ndim != 4 or layer.keys.shape[0] != 1:
        raise InvalidInput(f"model: layer {number} keeps no keys of its own")
    if layer.keys.shape != layer.values.shape:
        raise InvalidInput(
            f"model: layer {number} has keys of {layer.keys.shape[-1]} and values of "
            f"{layer.values.shape[-1]} channels a head; expected the same"
        )
    if layer.keys.dtype not in DTYPES.values():
        raise InvalidInput(f"model: layer {number} keeps {layer.keys.dtype}")
    return layer.keys[0], layer.values[0]


@contextmanager
def _keys_of_layers(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Collect what each attention layer computes as keys, in the order of the layers."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, _arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found.append(output.detach())

    hooks = []
    for module in model.modules():
        source = getattr(module, "k_norm", None) or getattr(module, "k_proj", None)
        if isinstance(source, nn.Module):
            hooks.append(source.register_forward_hook(keep))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _as_cached(output: Tensor, like: Tensor) -> Tensor | None:
    """Bring a hook's output into the cache's [kv_heads, tokens, head_dim]; None if it cannot."""
    heads, tokens, dim = like.shape
    if output.shape == (1, tokens, heads * dim) or output.shape == (1, tokens, heads, dim):
        return output.view(tokens, heads, dim).transpose(0, 1)
    return output[0] if output.shape == (1, heads, tokens, dim) else None


def _proved(rotary: Rotary, raw: Tensor, cached: Tensor, positions: Tensor) -> bool:
    """Say whether the raw keys, turned, are those in the cache; looks at the last tokens."""
    last = slice(-_PROOF_TOKENS, None)
    turned = rotary.turn(raw[:, last], positions[last])
    return difference(turned, cached[:, last]) <= _SAME


def _prove_turning_back(model: PreTrainedModel, rotary: Rotary, input_ids: Tensor) -> None:
    """Keys without their position are the same wherever the text stands."""
    ids = input_ids[:_PROOF_TOKENS]
    here = torch.arange(ids.numel())
    there = here + _PROOF_SHIFT
    both = zip(_prefill(model, ids, here), _prefill(model, ids, there), strict=True)
    for number, ((first, _), (second, _)) in enumerate(both):
        a, b = rotary.turn_back(first, here), rotary.turn_back(second, there)
        if difference(a, b) > (_SAME_DEEP if number else _SAME):
            raise InvalidInput(
                f"model: cannot take the position out of the keys of layer {number}: its rotary "
                "embedding is of a kind unknown here"
            )


def difference(a: Tensor, b: Tensor) -> float:
    """Return |a - b| / |b|, of all values together."""
    distance = torch.linalg.vector_norm(a.float() - b.float())
    return float(distance / torch.linalg.vector_norm(b.float()).clamp_min(1e-30))


def _captured(
    keys: Sequence[Tensor],
    cached: Sequence[tuple[Tensor, Tensor]],
    positions: Tensor,
    *,
    exact: bool,
) -> Captured:
    layers = tuple(
        LayerKV(part.contiguous().cpu(), values.contiguous().cpu())
        for part, (_, values) in zip(keys, cached, strict=True)
    )
    return Captured(layers, positions.to("cpu", torch.int64), exact)
