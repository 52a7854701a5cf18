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
                        data = write(_chunk(tokens, dtype, noise), codec, level, OWNER)
                    except InvalidInput:
                        if dtype == torch.bfloat16:
                            raise
                        continue
                    specimens.append(Specimen(codec.name, level, data))
    return specimens


def opener(codecs: Sequence[Codec]) -> OpenCodec:
    """Return what opens exactly these codecs."""
    by_name = {codec.name: codec for codec in codecs}

    def open_codec(name: str, tables_hash: bytes) -> Codec:
        if name not in by_name:
            raise UnsupportedFormat(f"codec {name}")
        if by_name[name].tables_hash != tables_hash:
            raise TablesMissing(f"tables of {name}")
        return by_name[name]

    return open_codec


def _chunk(tokens: int, dtype: torch.dtype, noise: torch.Generator) -> Chunk:
    """Channels of unlike scales and offsets, as keys have."""
    shape = (LAYERS, 2, HEADS, tokens, HEAD_DIM)
    scale = torch.rand((LAYERS, 2, HEADS, 1, HEAD_DIM), generator=noise) * 3
    parts = (torch.randn(shape, generator=noise) * scale + scale.flip(-1)).to(dtype)
    positions = torch.arange(5, 5 + tokens)
    positions[tokens // 2 :] += 100
    return Chunk(tuple(LayerKV(keys, values) for keys, values in parts), positions)
