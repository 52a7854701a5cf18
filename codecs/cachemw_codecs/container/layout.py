"""The bytes of a container, version 1. Own design.

All integers are little-endian and unsigned. The header:

    offset  bytes
    0       4       magic: 8a 4b 56 43 (0x8a, then "KVC")
    4       2       version: 1
    6       4       length of the header, from the magic to its CRC included
    10      1       dtype: 0 bfloat16, 1 float16, 2 float32
    11      2       layers
    13      2       kv_heads
    15      4       tokens
    19      2       head_dim
    21      4       runs of positions
    25      16      fingerprint of the model
    41      16      fingerprint of the tokenizer
    57      16      fingerprint of the RoPE configuration
    73      1 + n   the codec's name: n, then n characters of [a-z0-9._-], 1 to 31
    ..      1 + n   the level's name, likewise
    ..      1 + n   the hash of the codec's tables: n is 16, or 0 where it has none
    ..      8 each  runs of positions: start (4), length (4). Ascending; no two touch
    ..      8 each  one segment a layer: its length (4), the CRC-32 of its bytes (4)
    ..      4       CRC-32 of all of the header before it

then the segments in the order of the layers, with nothing between them and nothing behind. A
segment is what the codec's `encode_layer` returned: keys and values of one layer.

CRC-32 is zlib's. It finds accidents, not forgeries: who may write the file may write any header, so
a reader trusts no number in it. A segment decodes to at most `MAX_EXPANSION` times its length (that
is 0.004 bit a value in 16-bit dtypes); more is refused before anything is allocated, by the writer
too. Runs and segments have to fill the header exactly, so its parts cost no more than was sent.
"""

from __future__ import annotations

import re
import struct

import torch

from cachemw_codecs.container.chunk import MAX_LAYERS
from cachemw_codecs.errors import DamagedData, UnsupportedFormat
from cachemw_codecs.kv import MAX_TOKENS, LayerShape

MAGIC = b"\x8aKVC"
VERSION = 1
MAX_EXPANSION = 1 << 12
NAME = re.compile(r"[a-z0-9._-]{1,31}", re.ASCII)
DTYPES = (torch.bfloat16, torch.float16, torch.float32)
"""By their code."""

PREFIX = struct.Struct("<4sHI")
"""Magic, version, length of the header: so many bytes say how long it is."""
SHAPE = struct.Struct("<BHHIHI")
"""Code of the dtype, layers, kv_heads, tokens, head_dim, runs."""
CRC = struct.Struct("<I")
PAIR_BYTES = 8
MAX_HEADER_BYTES = 256 + PAIR_BYTES * (MAX_TOKENS + MAX_LAYERS)
"""All but the pairs takes at most 158 bytes."""


def header_length(data: bytes | memoryview) -> int:
    """Return the header's length in bytes, from the first `PREFIX.size` bytes of a file or more.

    Raises `DamagedData`, and `UnsupportedFormat` for an unknown version.
    """
    if len(data) < PREFIX.size:
        raise DamagedData(f"header: only {len(data)} bytes are there")
    magic, version, length = PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise DamagedData("header: does not begin like a container of encoded KV")
    if version != VERSION:
        raise UnsupportedFormat(f"version {version} of the container, this release reads {VERSION}")
    if not PREFIX.size + CRC.size < length <= MAX_HEADER_BYTES:
        raise DamagedData(f"header: a length of {length} bytes cannot be")
    return int(length)


def require_expansion(layer: int, length: int, shape: LayerShape) -> None:
    """Raise `DamagedData` where a segment of `length` bytes is too short for what it claims."""
    if shape.nbytes > MAX_EXPANSION * length:
        raise DamagedData(
            f"layer {layer}: {length} bytes cannot hold {shape.nbytes}, "
            f"more than {MAX_EXPANSION} times as much"
        )
