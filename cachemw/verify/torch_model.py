"""The shipped cross-encoder on torch: what graphs are exported from and compared with.

Importing this module is cheap; `load_module` imports torch and transformers (5 to 9 s).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cachemw.embed.base import RuntimeUnusable
from cachemw.verify.files import VerifierFiles

if TYPE_CHECKING:
    import torch

_SCALE = ".scale"
_PREFIX = "encoder."
_SHARED = ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight")


def encoder_state(files: VerifierFiles) -> dict[str, NDArray[np.float32]]:
    """Return all weights as float32: int8 matrices times their rows' scales, and the base's own.

    Names are those of a `BertModel` without pooler behind `encoder.`, and of a linear `head.`.
    """
    small = load_file(files.encoder)
    state = {}
    for name, value in small.items():
        if name.endswith(_SCALE):
            continue
        scale = small.get(name + _SCALE)
        whole = value.astype(np.float32)
        state[name] = whole if scale is None else whole * scale.astype(np.float32)[:, None]
    base = load_file(files.base.directory / "model.safetensors")
    for name in _SHARED:
        state[_PREFIX + name] = base[name].astype(np.float32)
    return state


def load_module(files: VerifierFiles) -> torch.nn.Module:
    """Return a module of (ids, mask, types), each [batch, tokens], to logits [batch, 1], float32.

    Mean pooling over the mask, then a linear head, as in the comparison of Sentence-BERT (arXiv
    1908.10084) and as it was trained.

    Raises:
        RuntimeUnusable: torch or transformers is missing, or the weights do not fit the model.
    """
    try:
        import torch  # noqa: PLC0415
        from transformers import BertConfig, BertModel  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeUnusable(f"torch or transformers cannot be imported: {error}") from error

    class CrossEncoderModule(torch.nn.Module):
        def __init__(self, config: BertConfig) -> None:
            super().__init__()
            self.encoder = BertModel(config, add_pooling_layer=False)
            self.head = torch.nn.Linear(config.hidden_size, 1)

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor,
        ) -> torch.Tensor:
            hidden = self.encoder(input_ids, attention_mask, token_type_ids).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            logits: torch.Tensor = self.head((hidden * weights).sum(1) / weights.sum(1))
            return logits

    config = BertConfig.from_json_file(str(files.base.directory / "config.json"))
    module = CrossEncoderModule(config)
    try:
        state = {name: torch.from_numpy(value) for name, value in encoder_state(files).items()}
        left = module.load_state_dict(state, strict=False)
    except (OSError, KeyError, SafetensorError) as error:
        raise RuntimeUnusable(f"its weights cannot be read: {error}") from error
    except RuntimeError as error:
        raise RuntimeUnusable(f"its weights are not of this shape: {error}") from error
    if left.missing_keys or left.unexpected_keys:
        raise RuntimeUnusable(f"its weights are not those of the model: {left}")
    return module.float().eval()


class TorchSession:
    """A `Session` over the module itself: the reference, and the fallback without graphs."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Return logits, shape [batch, 1]."""
        import torch  # noqa: PLC0415

        with torch.inference_mode():
            tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
            logits: NDArray[np.float32] = self._module(**tensors).numpy()
        return logits

    def close(self) -> None:
        """Drop the module."""
        del self._module
