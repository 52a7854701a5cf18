"""The KV that tables are made of, and the KV that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from cachemw_codecs.container import Chunk
from cachemw_codecs.hf import continue_logits, restore
from cachemw_codecs.kv import LayerKV
from torch import Tensor

from loadtests.kv.quality.passage import prefill
from loadtests.kv.quality.subjects import Subject
from loadtests.kv.quality.windows import read_text, windows

TOKENS = 256
"""Of a chunk."""
CONTINUATION = 64

Layers = tuple[LayerKV, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A chunk of a text, and what the model makes of what follows when nothing is lost.

    `read`, `targets`: int64 [continuation]. `log_probs`: float32 [continuation, vocabulary].
    """

    chunk: Chunk
    read: Tensor
    targets: Tensor
    log_probs: Tensor


def samples(subject: Subject, file: Path, count: int) -> list[Layers]:
    """Return the KV, in bfloat16, of `count` chunks spread over a text."""
    ids = windows(read_text(file), subject.encode, subject.bos, TOKENS, count)
    return [prefill(subject.model, row).layers for row in ids]


def measured(subject: Subject, file: Path, count: int) -> list[Window]:
    """Return `count` windows spread over a text."""
    length = TOKENS + CONTINUATION + 1
    ids = windows(read_text(file), subject.encode, subject.bos, length, count)
    return [_window(subject, row) for row in ids]


def long_chunks(subject: Subject, file: Path, count: int) -> list[Chunk]:
    """Return chunks four times as long."""
    ids = windows(read_text(file), subject.encode, subject.bos, 4 * TOKENS, count)
    return [prefill(subject.model, row) for row in ids]


def predicted(subject: Subject, chunk: Chunk, layers: Layers, ids: Tensor) -> Tensor:
    """Return log-probabilities of what follows each of `ids`, read behind `layers`."""
    cache = restore(subject.model, layers, chunk.positions)
    return torch.log_softmax(continue_logits(subject.model, cache, ids), dim=-1)


def _window(subject: Subject, ids: Tensor) -> Window:
    chunk = prefill(subject.model, ids[:TOKENS])
    rest = ids[TOKENS:]
    log_probs = predicted(subject, chunk, chunk.layers, rest[:-1])
    return Window(chunk, rest[:-1], rest[1:], log_probs)
