"""A prefix's KV, sent through a codec in files of some tokens each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container import Chunk, read_all, write
from cachemw_codecs.errors import TablesMissing
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.hf import capture
from cachemw_codecs.kv import LayerKV
from torch import Tensor
from transformers import PreTrainedModel

Part = Literal["both", "keys", "values"]


def prefill(model: PreTrainedModel, ids: Tensor) -> Chunk:
    """Read `ids`, int64 [tokens], and round their KV to bfloat16: what counts as uncompressed."""
    captured = capture(model, ids)
    layers = (LayerKV(kv.keys.bfloat16(), kv.values.bfloat16()) for kv in captured.layers)
    return Chunk(tuple(layers), captured.positions)


def values_of(chunk: Chunk) -> int:
    """Count the numbers in a chunk, keys and values."""
    return 2 * len(chunk.layers) * chunk.shape.channels * chunk.shape.tokens


def pieces(chunk: Chunk, tokens: int) -> Iterator[Chunk]:
    """Cut a chunk into chunks of `tokens`, the last one of what is left."""
    for start in range(0, chunk.shape.tokens, tokens):
        here = slice(start, start + tokens)
        layers = (
            LayerKV(kv.keys[:, here].contiguous(), kv.values[:, here].contiguous())
            for kv in chunk.layers
        )
        yield Chunk(tuple(layers), chunk.positions[here])


@dataclasses.dataclass(frozen=True, slots=True)
class Wire:
    """A codec at one level. Each piece of `tokens` becomes a file of its own, read alone."""

    codec: Codec
    level: str
    tokens: int
    fingerprint: Fingerprint

    def files(self, chunk: Chunk) -> Iterator[bytes]:
        """Encode; behind the last piece comes the continuation."""
        for piece in pieces(chunk, self.tokens):
            last = bool(piece.positions[-1] == chunk.positions[-1])
            yield write(piece, self.codec, self.level, self.fingerprint, ends_context=last)

    def read(self, files: Sequence[bytes]) -> Chunk:
        """Decode and join."""
        chunks = [read_all(data, self._open, self.fingerprint) for data in files]
        layers = (
            LayerKV(
                torch.cat([kv.keys for kv in parts], dim=1),
                torch.cat([kv.values for kv in parts], dim=1),
            )
            for parts in zip(*(chunk.layers for chunk in chunks), strict=True)
        )
        return Chunk(tuple(layers), torch.cat([chunk.positions for chunk in chunks]))

    def _open(self, name: str, tables: bytes) -> Codec:
        if name != self.codec.name or tables != self.codec.tables_hash:
            raise TablesMissing(f"expected {self.codec.name}, got {name}")
        return self.codec


def mixed(original: Chunk, decoded: Chunk, part: Part) -> Chunk:
    """Take only the keys, or only the values, from `decoded`."""
    if part == "both":
        return decoded
    layers = (
        LayerKV(theirs.keys, ours.values) if part == "keys" else LayerKV(ours.keys, theirs.values)
        for ours, theirs in zip(original.layers, decoded.layers, strict=True)
    )
    return Chunk(tuple(layers), original.positions)
