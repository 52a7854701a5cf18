"""Text that no model here was trained on, cut into prefixes and continuations."""

from __future__ import annotations

import lzma
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor


def shared_data(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the public data lie, whether they are there or not."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    return Path(env.get("CACHEMW_SHARED_DATA", beside))


def read_text(path: Path) -> str:
    """Return a whole xz file of text."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        return file.read()


def windows(
    text: str, encode: Callable[[str], list[int]], bos: int, length: int, count: int
) -> Tensor:
    """Cut `count` windows that do not overlap, spread evenly: int64 [count, length].

    Each begins with `bos`, as every document of the training did, and then at a word. Raises
    `ValueError` where the text is too short.
    """
    step = len(text) // count
    rows = []
    for start in range(0, count * step, step):
        # As much as a window may need: a token of these texts is four characters, rarely six.
        piece = text[start : start + min(step, 8 * length)]
        ids = encode(piece[piece.index(" ") :])[: length - 1]
        if len(ids) < length - 1:
            raise ValueError(f"{len(text)} characters give no {count} windows of {length} tokens")
        rows.append([bos, *ids])
    return torch.tensor(rows)
