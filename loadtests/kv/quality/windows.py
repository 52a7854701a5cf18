"""Text that no model here was trained on, cut into prefixes and continuations."""

from __future__ import annotations

import lzma
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor


def text_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the public texts lie, whether they are there or not."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    return Path(env.get("CACHEMW_SHARED_DATA", beside)) / "text"


def read_text(path: Path) -> str:
    """Return a whole xz file of text."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        return file.read()


def windows(tokens: Sequence[int], bos: int, length: int, count: int) -> Tensor:
    """Cut `count` windows that do not overlap, spread evenly: int64 [count, length].

    Each begins with `bos`, as every document of the training did. Raises `ValueError` where the
    text is too short.
    """
    own = length - 1
    if count * own > len(tokens):
        raise ValueError(f"{len(tokens)} tokens give no {count} windows of {own}")
    step = len(tokens) // count
    cut = torch.tensor([tokens[i * step : i * step + own] for i in range(count)])
    return torch.cat((torch.full((count, 1), bos), cut), dim=1)
