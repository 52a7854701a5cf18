"""The rotary embedding of a model's keys, in float32 (RoFormer, arXiv 2104.09864, equation 34).

Pair j of a head is turned by `position x inv_freq[j]`. A model multiplies the cosines and sines by
its attention scaling (YaRN, arXiv 2309.00071) and casts them to its own dtype before it uses them;
here the turn is made with unscaled float32 values, and the scaling comes once, before the one cast.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cachemw_codecs.errors import InvalidInput

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CHANGING = frozenset({"dynamic", "longrope"})
"""Frequencies depend on the longest position seen: keys of one call do not fit another."""

_WITHOUT = frozenset(
    {"biogpt", "bloom", "gpt2", "gpt_bigcode", "gpt_neo", "mpt", "opt", "xglm"}
)  # positions are learned, or a bias on the scores: keys do not hold them


@dataclass(frozen=True, slots=True)
class Rotary:
    """How a model turns its keys.

    `inv_freq`: [pairs] float32; the first 2 x pairs channels of a head are turned, the rest pass.
    `interleaved`: pair j is channels (2j, 2j + 1), else (j, pairs + j). `scaling`: factor on what
    is turned.
    """

    inv_freq: Tensor
    scaling: float
    interleaved: bool

    @classmethod
    def of(cls, model: PreTrainedModel) -> Rotary | None:
        """Find the model's; None where keys hold no position.

        Raises `InvalidInput` for frequencies that change during use or differ between layers, and
        where none is found in a model not known to do without.
        """
        config = model.config.get_text_config(decoder=True)
        _require_constant(config)
        modules = [
            module
            for module in model.modules()
            if isinstance(getattr(module, "inv_freq", None), Tensor)
        ]
        if not modules:
            if config.model_type in _WITHOUT:
                return None
            raise InvalidInput(f"model: found no rotary embedding in a {config.model_type} model")
        first, *others = [_of_module(module) for module in modules]
        for other in others:
            if other.scaling != first.scaling or not torch.equal(other.inv_freq, first.inv_freq):
                raise InvalidInput("model: the rotary embedding differs between layers")
        return first

    def turn(self, keys: Tensor, positions: Tensor) -> Tensor:
        """Keys [kv_heads, tokens, head_dim] -> the same as the model keeps them in its cache.

        `positions`: int64 [tokens]. Returns float32, here and below, for the caller to cast once.
        """
        return self._turned(keys, positions, 1.0, self.scaling)

    def turn_back(self, keys: Tensor, positions: Tensor) -> Tensor:
        """Undo `turn` for keys [kv_heads, tokens, head_dim] out of a cache, to rounding."""
        return self._turned(keys, positions, -1.0, 1.0 / self.scaling)

    def _turned(self, keys: Tensor, positions: Tensor, sign: float, factor: float) -> Tensor:
        pairs = self.inv_freq.numel()
        angles = positions.to(keys.device, torch.float32)[:, None] * self.inv_freq.to(keys.device)
        cos, sin = angles.cos(), angles.sin() * sign
        keys = keys.float()
        turned, passed = keys[..., : 2 * pairs], keys[..., 2 * pairs :]
        if self.interleaved:
            a, b = turned[..., 0::2], turned[..., 1::2]
        else:
            a, b = turned[..., :pairs], turned[..., pairs:]
        both = ((a * cos - b * sin) * factor, (b * cos + a * sin) * factor)
        joined = torch.stack(both, dim=-1).flatten(-2) if self.interleaved else torch.cat(both, -1)
        return torch.cat((joined, passed), dim=-1)


def _require_constant(config: Any) -> None:
    parameters = getattr(config, "rope_parameters", None) or {}
    if any(isinstance(value, dict) for value in parameters.values()):
        raise InvalidInput("model: rope_parameters differ between layers")
    kind = parameters.get("rope_type", "default")
    if kind in _CHANGING:
        raise InvalidInput(f"model: the frequencies of rope_type {kind} change with the length")


def _of_module(module: nn.Module) -> Rotary:
    inv_freq = module.inv_freq
    if not isinstance(inv_freq, Tensor) or inv_freq.ndim != 1:
        raise InvalidInput("model: the rotary embedding has more than one axis")
    return Rotary(
        inv_freq.detach().float(),
        float(getattr(module, "attention_scaling", 1.0)),
        _interleaved(module),
    )


def _interleaved(module: nn.Module) -> bool:
    """Ask the model's own code how it pairs channels: nothing in a configuration says it.

    Where that code has no `rotate_half`, the usual way is assumed; `capture` proves it.
    """
    rotate_half = getattr(sys.modules[type(module).__module__], "rotate_half", None)
    if rotate_half is None:
        return False
    return bool(torch.equal(rotate_half(torch.arange(4)), torch.tensor([-1, 0, -3, 2])))
