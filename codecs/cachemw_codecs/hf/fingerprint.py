"""Which model, tokenizer and rotary configuration a cache is of; own design.

What the fingerprint covers, and what it does not:

* The weights: names, shapes, dtypes and up to 4096 values of every tensor, at places spread over
  it. Training touches nearly all values of what it touches at all, so a fine-tuned, merged or
  quantised model has another fingerprint. A single changed value may go unseen: this is against
  mixing models up, not against forgery. `whole=True` reads all values.
* The configuration, but for what does not change a key or value. A release of transformers that
  adds a setting changes the fingerprint too, and caches are then written anew; the other mistake
  would read wrong ones.
* No names, paths or revisions: the same weights in another folder are the same model.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cachemw_codecs.fingerprint import Fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SAMPLE = 4096
_SPREAD = 2_654_435_761
"""A prime near 2^32 / golden ratio: multiples of it, modulo a size, fall everywhere. An even step
would stay in one column of a matrix."""
_ABOUT_USE = frozenset(
    {
        "_name_or_path",
        "architectures",
        "dtype",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
_ABOUT_BATCH = frozenset({"padding", "truncation"})


def fingerprint(model: PreTrainedModel, tokenizer: Any, *, whole: bool = False) -> Fingerprint:
    """Digest the model's weights and configuration, the tokenizer and the rotary configuration.

    `tokenizer`: one of transformers or of tokenizers, or any JSON value that names another kind;
    None where ids are used as they come. `whole`: read all weights, not a sample.
    """
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    kept = {key: value for key, value in config.items() if key not in _ABOUT_USE}
    return Fingerprint.of(
        {"config": kept, "weights": _weights(model, whole=whole)},
        _vocabulary(tokenizer),
        _rope(config),
    )


def _weights(model: PreTrainedModel, *, whole: bool) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {list(tensor.shape)} {tensor.dtype}\n".encode())
        flat = tensor.detach().reshape(-1)
        digest.update(_bytes(flat if whole else _sample(flat)))
    return digest.hexdigest()


def _sample(flat: Tensor) -> Tensor:
    if flat.numel() <= _SAMPLE:
        return flat
    places = torch.arange(_SAMPLE, device=flat.device) * _SPREAD % flat.numel()
    return flat[places]


def _bytes(flat: Tensor) -> bytes:
    return flat.contiguous().cpu().view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _vocabulary(tokenizer: Any) -> Any:
    inner = getattr(tokenizer, "backend_tokenizer", None) or tokenizer
    if hasattr(inner, "to_str"):
        whole: dict[str, Any] = json.loads(inner.to_str())
        return {key: value for key, value in whole.items() if key not in _ABOUT_BATCH}
    if hasattr(tokenizer, "get_vocab"):
        # Written in Python: its code is named, its vocabulary whole.
        return {"class": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab()}
    return tokenizer


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    """All that the configuration says of it, also inside a nested text configuration."""
    text = config.get("text_config") or config
    return {
        key: value
        for key, value in text.items()
        if key.startswith(("rope", "rotary", "partial_rotary"))
        or key in ("head_dim", "max_position_embeddings", "no_rope_layers")
    }
