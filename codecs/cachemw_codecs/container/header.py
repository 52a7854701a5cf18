"""What a container says before its segments, read and written. The bytes: see `layout`."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cachemw_codecs.container.chunk import MAX_LAYERS
from cachemw_codecs.container.fields import Fields
from cachemw_codecs.container.layout import (
    CRC,
    DTYPES,
    MAGIC,
    PAIR_BYTES,
    PREFIX,
    SHAPE,
    VERSION,
    header_length,
    require_expansion,
)
from cachemw_codecs.container.runs import Runs, positions_of, require_runs
from cachemw_codecs.errors import DamagedData, InvalidInput, UnsupportedFormat
from cachemw_codecs.fingerprint import DIGEST_BYTES, Fingerprint
from cachemw_codecs.kv import LayerShape


@dataclass(frozen=True, slots=True)
class Segment:
    """Where one layer's payload stands, in bytes from the start of the file, and its CRC-32."""

    offset: int
    length: int
    crc32: int


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What a container says before its segments. `parse` and `writer.seal` make it."""

    codec: str
    level: str
    tables_hash: bytes
    fingerprint: Fingerprint
    shape: LayerShape
    runs: Runs
    segments: tuple[Segment, ...]
    version: int = VERSION

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return len(self.segments)

    @property
    def kv_heads(self) -> int:
        """Heads of keys, and of values, in each layer."""
        return self.shape.kv_heads

    @property
    def tokens(self) -> int:
        """Tokens of the chunk."""
        return self.shape.tokens

    @property
    def head_dim(self) -> int:
        """Values of one token in one head."""
        return self.shape.head_dim

    @property
    def dtype(self) -> torch.dtype:
        """Of the decoded keys and values."""
        return self.shape.dtype

    @property
    def positions(self) -> Tensor:
        """int64 [tokens]: the absolute positions at which the KV was computed, ascending.

        Made from `runs` at each call.
        """
        return positions_of(self.runs)

    @property
    def total_bytes(self) -> int:
        """Length of the whole file."""
        last = self.segments[-1]
        return last.offset + last.length

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all layers when decoded."""
        return self.layers * self.shape.nbytes

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Header:
        """Read the header that `data` begins with; what stands behind it is not looked at.

        Raises `UnsupportedFormat` for an unknown version or dtype, else `DamagedData`.
        """
        length = header_length(data)
        if len(data) < length:
            raise DamagedData(f"header: {length} bytes long, only {len(data)} are there")
        body = bytes(data[: length - CRC.size])
        if CRC.unpack_from(data, len(body))[0] != zlib.crc32(body):
            raise DamagedData("header: its checksum differs")
        return _parse(body)

    def packed(self) -> bytes:
        """Return the header's bytes. Where segments stand follows from their lengths."""
        mark = self.fingerprint
        names = (self.codec.encode("ascii"), self.level.encode("ascii"), self.tables_hash)
        table = [(segment.length, segment.crc32) for segment in self.segments]
        fields = b"".join(
            [
                self._packed_shape(),
                mark.model + mark.tokenizer + mark.rope,
                *(bytes([len(name)]) + name for name in names),
                self.runs.astype("<u4").tobytes(),
                np.array(table, "<u4").tobytes(),
            ]
        )
        length = PREFIX.size + len(fields) + CRC.size
        body = PREFIX.pack(MAGIC, self.version, length) + fields
        return body + CRC.pack(zlib.crc32(body))

    def _packed_shape(self) -> bytes:
        code = DTYPES.index(self.dtype)
        counts = (self.layers, self.kv_heads, self.tokens, self.head_dim, len(self.runs))
        return SHAPE.pack(code, *counts)


def _parse(body: bytes) -> Header:
    fields = Fields(body, PREFIX.size)
    code, layers, heads, tokens, dim, runs = SHAPE.unpack(fields.take(SHAPE.size, "the shape"))
    shape = _shape(code, heads, tokens, dim)
    if not 1 <= layers <= MAX_LAYERS or not 1 <= runs <= tokens:
        raise DamagedData(f"header: {layers} layers and {runs} runs of positions cannot be")
    fingerprint = Fingerprint(
        model=fields.take(DIGEST_BYTES, "the model's fingerprint"),
        tokenizer=fields.take(DIGEST_BYTES, "the tokenizer's fingerprint"),
        rope=fields.take(DIGEST_BYTES, "the RoPE's fingerprint"),
    )
    codec = fields.name("the codec's name")
    level = fields.name("the level's name")
    tables_hash = fields.short("the tables' hash")
    if len(tables_hash) not in {0, DIGEST_BYTES}:
        raise DamagedData(f"header: a tables' hash of {len(tables_hash)} bytes cannot be")
    if fields.left != PAIR_BYTES * (runs + layers):
        raise DamagedData("header: runs and segments do not fill it")
    positions = fields.pairs(runs, "the positions")
    require_runs(positions, tokens)
    table = fields.pairs(layers, "the segments")
    segments = _placed(len(body) + CRC.size, table.tolist(), shape)
    return Header(codec, level, tables_hash, fingerprint, shape, positions, segments)


def _shape(code: int, heads: int, tokens: int, dim: int) -> LayerShape:
    if code >= len(DTYPES):
        raise UnsupportedFormat(f"dtype number {code}")
    try:
        return LayerShape(heads, tokens, dim, DTYPES[code])
    except InvalidInput as error:
        raise DamagedData(f"header: {error}") from None


def _placed(offset: int, table: list[list[int]], shape: LayerShape) -> tuple[Segment, ...]:
    segments = []
    for layer, (length, crc32) in enumerate(table):
        require_expansion(layer, length, shape)
        segments.append(Segment(offset, length, crc32))
        offset += length
    return tuple(segments)
