"""A layer's tokens as chunks: which streams there are, and what to do to decode them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from cachemw_codecs.gpu.coder import DeviceTables, Encoded, Field, Strides, describe, encode
from cachemw_codecs.gpu.plan import LayerPlan, Piece, Run, plan_layer
from cachemw_codecs.gpu.staged import LayerPayload
from cachemw_codecs.gpu.transform import Unit
from numpy.typing import NDArray
from torch import Tensor

from loadtests.kv.speed.forward import quantise
from loadtests.kv.speed.inputs import GEOMETRY, Model

ROWS = Strides(32 * GEOMETRY.channels, 1, GEOMETRY.channels)
"""Of a stream's symbols within [tokens, C]."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """`tokens` of a layer in chunks of `size` tokens, each coded alone."""

    tokens: int
    size: int

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return self.tokens // self.size

    @property
    def bf16_bytes(self) -> int:
        """Of one layer, keys and values."""
        return 2 * 2 * GEOMETRY.channels * self.tokens

    def described(self) -> NDArray[np.int64]:
        """Describe streams for the encoder: chunk after chunk, symbols in [2, tokens, C]."""
        streams = GEOMETRY.streams
        count = self.count * streams
        rows = list(range(streams)) * self.count
        table = describe([0] * count, [self.size] * count, rows, GEOMETRY.width)
        chunk, stream = np.divmod(np.arange(count), streams)
        kind, part = np.divmod(stream, streams // 2)
        row = kind * self.tokens + chunk * self.size
        table[Field.PLACE] = row * GEOMETRY.channels + part * GEOMETRY.width
        return table

    def place_escapes(
        self, flat: NDArray[np.int64], values: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """From indices in [2, tokens, C] to stream, index and value: int64 [3, n]."""
        kind, rest = np.divmod(flat, self.tokens * GEOMETRY.channels)
        token, channel = np.divmod(rest, GEOMETRY.channels)
        chunk, row = np.divmod(token, self.size)
        part, column = np.divmod(channel, GEOMETRY.width)
        stream = chunk * GEOMETRY.streams + kind * (GEOMETRY.streams // 2) + part
        return np.stack([stream, row * GEOMETRY.width + column, values])

    def plan(self, lengths: Sequence[int]) -> LayerPlan:
        """Plan the decoding of streams of `lengths` bytes."""
        streams = GEOMETRY.streams
        pieces = [
            Piece(lengths[n * streams : (n + 1) * streams], (Run(self.size, n * self.size),))
            for n in range(self.count)
        ]
        return plan_layer(pieces, GEOMETRY, self.tokens)


@dataclass(frozen=True, slots=True)
class EncodedLayer:
    """One layer, still on the device; `symbols` are [2, tokens, C], keys' then values'."""

    symbols: Tensor
    streams: Encoded
    outside: Tensor
    escaped: Tensor


def encode_layer(
    values: Tensor, layer: int, model: Model, tables: DeviceTables, described: Tensor
) -> EncodedLayer:
    """Transform, quantise and code one layer, [2, kv_heads, tokens, head_dim]."""
    rows = values.transpose(1, 2).reshape(2, -1, GEOMETRY.channels)
    symbols, outside, escaped = quantise(rows, model.forwards[layer])
    columns = model.layers[layer].columns
    streams = encode(symbols, described, columns, tables, ROWS)
    return EncodedLayer(symbols, streams, outside, escaped)


def to_payload(encoded: EncodedLayer, chunks: Chunks) -> LayerPayload:
    """Bring a layer's bytes to pinned memory, planned."""
    lengths = (2 * encoded.streams.lengths).tolist()
    escapes = chunks.place_escapes(
        encoded.outside.cpu().numpy(), encoded.escaped.cpu().numpy().astype(np.int64)
    )
    content = encoded.streams.words.cpu().numpy().tobytes()
    return LayerPayload.of(content, chunks.plan(lengths), escapes, pin=True)


@dataclass(frozen=True, slots=True)
class Together:
    """All layers as one batch on the device, for a cache [layers, 2, kv_heads, tokens, dim]."""

    words: Tensor
    streams: Tensor
    units: Tensor
    escapes: Tensor
    room: int

    @classmethod
    def of(cls, payloads: Sequence[LayerPayload], device: torch.device) -> Together:
        """Join layers; layer l's tables and matrices are rows l x streams and on."""
        streams, units, escapes = [], [], []
        words = room = count = 0
        for layer, payload in enumerate(payloads):
            plan = payload.plan
            rows, _ = payload.taken_apart(payload.described)
            part = rows.streams.numpy().copy()
            part[Field.START] += words
            part[Field.PLACE] += room
            part[Field.COLUMNS] += layer * GEOMETRY.streams
            unit = plan.tokens.units.copy()
            unit[Unit.PLACE] += room
            unit[Unit.MATRIX] += layer * GEOMETRY.transforms
            unit[Unit.ROW] += layer * GEOMETRY.transforms
            unit[Unit.TARGET] += layer * 2 * GEOMETRY.channels * plan.capacity
            escape = rows.escapes.clone()
            escape[0] += count
            streams.append(part)
            units.append(unit)
            escapes.append(escape)
            words, room, count = words + plan.words, room + plan.room, count + part.shape[1]
        return cls(
            torch.cat([payload.words for payload in payloads]).to(device),
            torch.from_numpy(np.concatenate(streams, axis=1)).to(device),
            torch.from_numpy(np.concatenate(units, axis=1)).to(device),
            torch.cat(escapes, dim=1).to(device),
            room,
        )
