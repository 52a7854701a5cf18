"""Rows as batches of tokens."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TypedDict

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

MAX_TOKENS = 160
"""Of both questions: each is cut to half of it."""


class Row(TypedDict):
    """A row of prepare.py."""

    a: str
    b: str
    same: int
    kind: str
    part: str
    fold: int


def read(path: Path) -> list[Row]:
    """Read the rows of prepare.py."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


class Data:
    """Tokenised pairs; positions are those of the rows."""

    def __init__(self, rows: Sequence[Row], tokenizer: Tokenizer, device: str) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        texts = sorted({text for row in rows for text in (row["a"], row["b"])})
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        ids = {text: one.ids[: MAX_TOKENS // 2] for text, one in zip(texts, encoded, strict=True)}
        self._a = [ids[row["a"]] for row in rows]
        self._b = [ids[row["b"]] for row in rows]
        self._begin, self._end = (_id(tokenizer, token) for token in ("[CLS]", "[SEP]"))
        self.device = device
        self.same = np.array([row["same"] for row in rows], dtype=np.float32)
        self.real = np.array([row["kind"] == "real" for row in rows])

    def length(self, position: int) -> int:
        """Return how many tokens the questions of a pair have."""
        return len(self._a[position]) + len(self._b[position])

    def batch(self, positions: Sequence[int], flip: Sequence[bool]) -> tuple[Tensor, ...]:
        """Return ids, mask and types, [batch, tokens]; flipped pairs are read the other way."""
        pairs = [
            (self._b[place], self._a[place]) if other else (self._a[place], self._b[place])
            for place, other in zip(positions, flip, strict=True)
        ]
        longest = max(len(a) + len(b) for a, b in pairs) + 3
        ids = np.zeros((len(pairs), longest), dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, (a, b) in enumerate(pairs):
            whole = [self._begin, *a, self._end, *b, self._end]
            ids[row, : len(whole)] = whole
            mask[row, : len(whole)] = 1
            types[row, len(a) + 2 : len(whole)] = 1
        return tuple(torch.from_numpy(each).to(self.device) for each in (ids, mask, types))


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no {token}")
    return found


def batches(data: Data, positions: Sequence[int], size: int, rng: Random) -> Iterator[list[int]]:
    """Yield batches of similar length, in random order."""
    keyed = [(data.length(place) + rng.random() * 6, place) for place in positions]
    order = [place for _, place in sorted(keyed)]
    chunks = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(chunks)
    yield from chunks
