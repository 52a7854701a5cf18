"""The models under test, and what they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.hf import fingerprint

from loadtests.kv.models import Subject as Loaded
from loadtests.kv.models import lab, load, stories260k

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TRAINED = {"large": "kv-model", "small": "kv-model-small"}
"""Models trained for this benchmark, and their folders among what the load tests keep."""


@dataclass(frozen=True)
class Subject:
    """A model in float32, whose weights are bfloat16 ones, and the lengths it is tested at.

    `encode` gives a text's tokens with no special ones. A window is `prefix` tokens, whose KV is
    compressed, and `continuation` tokens that are predicted over it.
    """

    name: str
    model: PreTrainedModel
    encode: Callable[[str], list[int]]
    bos: int
    fingerprint: Fingerprint
    prefix: int
    continuation: int

    @property
    def window(self) -> int:
        """Tokens a window takes: the last one is predicted only."""
        return self.prefix + self.continuation + 1

    @property
    def shape(self) -> str:
        """Say what the model is."""
        config = self.model.config
        heads, dim = config.num_key_value_heads, config.hidden_size // config.num_attention_heads
        dim = getattr(config, "head_dim", None) or dim
        return (
            f"{self.model.num_parameters() / 1e6:.2f}M parameters, {config.num_hidden_layers} "
            f"layers, {config.num_attention_heads} heads, {heads} KV heads of {dim}"
        )


def open_subject(name: str, shared: Path, folder: Path) -> Subject:
    """Load a model by the name that the command knows it by.

    `shared`: the folder of public data. `folder`: where the load tests keep things. Raises
    `FileNotFoundError` where the model is not there.
    """
    if name == "lab":
        return of(name, lab(), 1024, 256)
    if name == "stories":
        return of(name, stories260k(shared / "stories260K"), 256, 128)
    path = folder / TRAINED[name]
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there")
    return of(name, load(path), 1024, 256)


def of(name: str, loaded: Loaded, prefix: int, continuation: int) -> Subject:
    """Make a subject of a loaded model, whose `encode` puts BOS in front."""

    def encode(text: str) -> list[int]:
        return loaded.encode(text)[1:]

    bos = loaded.encode("a")[0]
    whose = fingerprint(loaded.model, {"of": name})
    return Subject(name, loaded.model, encode, bos, whose, prefix, continuation)
