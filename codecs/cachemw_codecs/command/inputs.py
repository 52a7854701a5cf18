"""The model, its tokenizer, and the text that it reads."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import DTYPES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DEFAULT_TEXT = "pydoc_data.topics"
_LOADING_FAILS = (
    AssertionError,  # torch's, where it was built without the device
    ImportError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model in evaluation mode and its tokenizer."""

    model: PreTrainedModel
    tokenizer: Any

    @property
    def context(self) -> int | None:
        """Tokens that the model was made for; None where its configuration does not say."""
        config = self.model.config.get_text_config(decoder=True)
        length: int | None = getattr(config, "max_position_embeddings", None)
        return length


def load_subject(name: str, dtype: str, device: str) -> Subject:
    """Load a model by name or folder; `dtype` is one of `DTYPES` or "auto".

    Code that comes with a model is not run. Raises `InvalidInput` where it cannot be loaded.
    """
    try:
        # Here: this package is of use without transformers.
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
    except ImportError as error:
        raise InvalidInput(f"transformers cannot be imported: {error}") from error
    make_model: Any = AutoModelForCausalLM.from_pretrained
    make_tokenizer: Any = AutoTokenizer.from_pretrained
    try:
        model = make_model(name, dtype=DTYPES.get(dtype, "auto"), trust_remote_code=False)
        tokenizer = make_tokenizer(name, trust_remote_code=False)
        return Subject(model.to(device).eval(), tokenizer)
    except _LOADING_FAILS as error:
        raise InvalidInput(f"model {name} cannot be loaded: {_first_line(error)}") from error


def read_file(path: Path) -> bytes:
    """Read a file; raises `InvalidInput` where it cannot be."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error


def read_text(path: Path | None) -> str:
    """Return a file's text, or the default one; raises `InvalidInput` where there is none."""
    if path is not None:
        try:
            return read_file(path).decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{path}: is not UTF-8 text") from error
    try:
        topics: dict[str, str] = importlib.import_module(_DEFAULT_TEXT).topics
    except (ImportError, AttributeError) as error:
        raise InvalidInput("this Python comes without its reference: give --text FILE") from error
    return "\n\n".join(topics[name] for name in sorted(topics))


def encoded(subject: Subject, text: str) -> Tensor:
    """Return the ids of a text, int64 [tokens], with what the tokenizer puts around a text."""
    ids = subject.tokenizer(text, verbose=False)["input_ids"]
    return torch.tensor(ids, dtype=torch.int64)


def one_window(subject: Subject, text: str, tokens: int) -> Tensor:
    """Return the first ids of the text, int64 [tokens].

    Raises `InvalidInput` where the text has fewer or the model was made for fewer.
    """
    if subject.context is not None and tokens > subject.context:
        raise InvalidInput(
            f"{tokens} tokens asked for (compressed, continuation and one), but the model is made "
            f"for {subject.context}: give smaller --tokens or --continuation"
        )
    ids = encoded(subject, text)
    if ids.numel() < tokens:
        raise InvalidInput(
            f"the text has {ids.numel()} tokens, {tokens} are needed (compressed, continuation and "
            "one): give a longer --text, or smaller --tokens or --continuation"
        )
    return ids[:tokens]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
