"""The models under test, and what they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.hf import fingerprint

from loadtests.kv.models import Subject as Loaded
from loadtests.kv.models import lab, load, stories260k

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Task = Literal["copying", "recall", "lookup"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model is tested at.

    `folder`: among what the load tests keep; None where the model comes with the project or the
    data. `task`, `cases`: with right answers; copying needs no cases, it reads the windows again.
    `texts`: windows of 2048 tokens, or of the model's context, that calibrate. `judged`: whether
    the targets hold for it.
    """

    folder: str | None = None
    prefix: int = 1024
    continuation: int = 256
    windows: int = 32
    task: Task = "copying"
    cases: int = 0
    texts: int = 32
    judged: bool = True


PLANS = MappingProxyType(
    {
        "lab": Plan(windows=64),
        # Too small to judge by: heads of 8, and text that it cannot read.
        "stories": Plan(prefix=256, continuation=128, windows=64, judged=False),
        "small": Plan("kv-model-small", task="recall", cases=150),
        "large": Plan("kv-model", task="recall", cases=150),
        "smollm2": Plan("kv-smollm2", windows=12, task="lookup", cases=32, texts=12),
    }
)


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
    plan = PLANS[name]
    if plan.folder is None:
        loaded = lab() if name == "lab" else stories260k(shared / "stories260K")
    else:
        path = folder / plan.folder
        if not (path / "config.json").exists():
            raise FileNotFoundError(f"{path} holds no model")
        loaded = load(path)
    return of(name, loaded, plan)


def of(name: str, loaded: Loaded, plan: Plan) -> Subject:
    """Make a subject of a loaded model, whose `encode` may put BOS in front or not."""
    front = len(loaded.encode(""))

    def encode(text: str) -> list[int]:
        return loaded.encode(text)[front:]

    bos: int = loaded.encode("")[0] if front else loaded.model.config.bos_token_id
    whose = fingerprint(loaded.model, {"of": name})
    return Subject(name, loaded.model, encode, bos, whose, plan.prefix, plan.continuation)
