"""Well-formed files to begin with, made with every codec at every level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container import Chunk, OpenCodec, write
from cachemw_codecs.errors import InvalidInput, TablesMissing, UnsupportedFormat
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.kv import LayerKV

OWNER = Fingerprint.of("fuzzed model", "fuzzed tokenizer", {"theta": 10_000})
LAYERS, HEADS, HEAD_DIM = 2, 2, 16
"""Calibrated codecs have tables for one model: these are its."""
TOKENS = (40, 1, 33)
"""More than one group of 32 lanes, the least, one more than a group."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """A file that decodes."""

    codec: str
    level: str
    data: bytes


def corpus(codecs: Sequence[Codec], noise: torch.Generator) -> list[Specimen]:
    """Write a file for each codec, level, dtype and number of tokens.

    A codec may refuse float16 and float32, with `InvalidInput`.
    """
    specimens = []
    for codec in codecs:
        for level in codec.levels:
            for dtype in (torch.bfloat16, torch.float16, torch.float32):
                for tokens in TOKENS:
                    try:
                        data = write(random_chunk(tokens, dtype, noise), codec, level, OWNER)
                    except InvalidInput:
                        if dtype == torch.bfloat16:
                            raise
                        continue
                    specimens.append(Specimen(codec.name, level, data))
    return specimens


def opener(codecs: Sequence[Codec]) -> OpenCodec:
    """Return what opens exactly these codecs."""
    known = {(codec.name, codec.tables_hash): codec for codec in codecs}
    names = {codec.name for codec in codecs}

    def open_codec(name: str, tables_hash: bytes) -> Codec:
        if name not in names:
            raise UnsupportedFormat(f"codec {name}")
        if (name, tables_hash) not in known:
            raise TablesMissing(f"tables of {name}")
        return known[name, tables_hash]

    return open_codec


def random_chunk(tokens: int, dtype: torch.dtype, noise: torch.Generator) -> Chunk:
    """Return KV whose channels have unlike scales and offsets, the same in every chunk."""
    shape = (LAYERS, 2, HEADS, tokens, HEAD_DIM)
    scales = torch.linspace(0.1, 3, HEAD_DIM)
    parts = (torch.randn(shape, generator=noise) * scales + scales.flip(0)).to(dtype)
    positions = torch.arange(5, 5 + tokens)
    positions[tokens // 2 :] += 100
    return Chunk(tuple(LayerKV(keys, values) for keys, values in parts), positions)
