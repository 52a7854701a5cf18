"""A model, and what turns text into its ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

LAB_MODEL = Path(__file__).resolve().parents[3] / "cachemw" / "assets" / "lab_model"


class Subject(NamedTuple):
    """A model in evaluation mode, and its tokenizer's `encode`: text to ids, BOS in front."""

    model: PreTrainedModel
    encode: Callable[[str], list[int]]


def lab(dtype: torch.dtype = torch.float32) -> Subject:
    """Load the project's lab model: 7.3M parameters, 8 layers, 2 KV heads of 64 (GQA)."""
    return load(LAB_MODEL, dtype)


def load(path: str | Path, dtype: torch.dtype = torch.float32) -> Subject:
    """Load a causal language model of transformers from a directory, or by its name."""
    make_model: Any = AutoModelForCausalLM.from_pretrained
    model: Any = make_model(path, dtype=dtype)
    make_tokenizer: Any = AutoTokenizer.from_pretrained
    tokenizer = make_tokenizer(path)

    def encode(text: str) -> list[int]:
        # Not `verbose`: texts are cut here, to what is measured, and not by the tokenizer.
        ids: list[int] = tokenizer(text, verbose=False)["input_ids"]
        return ids

    return Subject(model.eval(), encode)
