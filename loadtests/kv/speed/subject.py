"""The codec under test: all layers encoded, checked against the CPU, and ready to be decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from cachemw_codecs.coding import rans
from cachemw_codecs.gpu.coder import DeviceTables, Strides, decode, require_good
from cachemw_codecs.gpu.staged import LayerPayload
from cachemw_codecs.gpu.transform import Inverse, inverse, put_escapes
from torch import Tensor

from loadtests.kv.speed.chunks import (
    Chunks,
    EncodedLayer,
    Together,
    encode_layer,
    to_payload,
)
from loadtests.kv.speed.inputs import GEOMETRY, OFFSET, Model, draw_layer

ORDER = Strides.decoding_order(GEOMETRY.width)
CHECK_EVERY = 29
"""Of a checked layer's streams, each such is coded by the CPU too."""
NEAR = 4e-3
"""Of a decoded layer, relative to float64: twice what rounding to bfloat16 alone makes."""


class Wrong(Exception):
    """What was decoded or encoded is not what it should be."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A cache, encoded. `symbols`: of all layers, [layers, 2, tokens, C]."""

    chunks: Chunks
    model: Model
    tables: DeviceTables
    payloads: list[LayerPayload]
    symbols: Tensor
    values: list[Tensor]

    @property
    def bf16_bytes(self) -> int:
        """Of all layers uncompressed."""
        return len(self.payloads) * self.chunks.bf16_bytes

    @property
    def compressed_bytes(self) -> int:
        """Words of all layers, and 6 bytes an escape."""
        return sum(2 * p.plan.words + 6 * p.escapes[0] for p in self.payloads)

    @property
    def bits_a_value(self) -> float:
        """What a value costs, escapes included."""
        return 8 * self.compressed_bytes / self.symbols.numel()


def prepare(
    chunks: Chunks, model: Model, tables: DeviceTables, generator: torch.Generator, kept: int
) -> Subject:
    """Draw, encode and check all layers; the first `kept` ones' values are kept to time on."""
    device = model.bases.device
    described = torch.from_numpy(chunks.described()).to(device)
    payloads, symbols, values = [], [], []
    for layer in range(len(model.layers)):
        drawn = draw_layer(model, layer, chunks.tokens, generator)
        encoded = encode_layer(drawn, layer, model, tables, described)
        if bool(encoded.streams.status.any()):
            raise Wrong(f"layer {layer}: a symbol could not be coded")
        if layer in (0, len(model.layers) - 1):
            check_bytes(encoded, chunks, model, layer)
        payloads.append(to_payload(encoded, chunks))
        symbols.append(encoded.symbols)
        if layer < kept:
            values.append(drawn)
    return Subject(chunks, model, tables, payloads, torch.stack(symbols), values)


def check_bytes(encoded: EncodedLayer, chunks: Chunks, model: Model, layer: int) -> None:
    """Raise `Wrong` where the CPU codes a stream to other bytes."""
    symbols = encoded.symbols.cpu().numpy()
    columns = model.layers[layer].columns.cpu().numpy()
    words = encoded.streams.words.cpu().numpy()
    lengths, starts = encoded.streams.lengths.tolist(), encoded.streams.starts.tolist()
    for number in range(0, len(lengths), CHECK_EVERY):
        chunk, stream = divmod(number, GEOMETRY.streams)
        kind, part = divmod(stream, GEOMETRY.streams // 2)
        which = slice(part * GEOMETRY.width, (part + 1) * GEOMETRY.width)
        rows = symbols[kind, chunk * chunks.size : (chunk + 1) * chunks.size, which]
        expected = rans.encode(np.ascontiguousarray(rows), columns[stream], model.tables)
        if words[starts[number] :][: lengths[number]].tobytes() != expected:
            raise Wrong(f"layer {layer}, stream {number}: bytes differ from the CPU's")


class AllAtOnce:
    """Decodes all layers in one launch of each kernel, from words that are on the device."""

    def __init__(self, subject: Subject) -> None:
        model, device = subject.model, subject.model.bases.device
        self._width = GEOMETRY.width
        self._batch = Together.of(subject.payloads, device)
        self._columns = torch.cat([layer.columns for layer in model.layers])
        self._tables = subject.tables
        inverses = [layer.inverse for layer in model.layers]
        self._inverse = Inverse(
            torch.cat([one.matrices for one in inverses]),
            torch.cat([one.steps for one in inverses]),
            torch.cat([one.means for one in inverses]),
        )
        self._longest = max(payload.plan.tokens.longest for payload in subject.payloads)
        self._values = torch.empty(self._batch.room, dtype=torch.float16, device=device)
        self.symbols = torch.empty(self._batch.room, dtype=torch.uint8, device=device)

    def entropy(self) -> Tensor:
        """Decode rANS alone, to a byte a symbol."""
        return self._decode(self.symbols)

    def fused(self, cache: Tensor) -> Tensor:
        """Decode into `cache`, [layers, 2, kv_heads, tokens, head_dim]."""
        batch = self._batch
        status = self._decode(self._values)
        put_escapes(
            batch.escapes, batch.streams, self._columns, self._tables.offsets, self._values, status
        )
        self.transform(cache)
        return status

    def transform(self, cache: Tensor) -> None:
        """Do the second half of `fused` alone."""
        inverse(self._values, self._batch.units, self._longest, self._width, self._inverse, cache)

    def _decode(self, target: Tensor) -> Tensor:
        batch = self._batch
        return decode(batch.words, batch.streams, self._columns, self._tables, target, ORDER)


def check_symbols(subject: Subject, decoded: AllAtOnce) -> None:
    """Raise `Wrong` where rANS alone does not give back the symbols."""
    decoded.symbols.fill_(99)
    require_good(decoded.entropy())
    chunks = subject.chunks
    parts = GEOMETRY.streams // 2
    shape = (2, chunks.count, chunks.size // 32, 32, parts, GEOMETRY.width)
    found = decoded.symbols.view(len(subject.symbols), -1)
    for layer, symbols in enumerate(subject.symbols):
        # To [chunks, 2, parts, groups, columns, 32].
        expected = symbols.view(shape).permute(1, 0, 4, 2, 5, 3)
        if not torch.equal(found[layer].view(expected.shape), expected):
            raise Wrong(f"rANS: decoded symbols differ in layer {layer}")


def check_cache(subject: Subject, caches: Iterable[Tensor]) -> float:
    """Return the largest error of a checked layer, relative; raise `Wrong` above `NEAR`.

    Against dequantisation and transform in float64, of the first layer and the last.
    """
    worst = 0.0
    for layer, cache in enumerate(caches):
        if layer not in (0, len(subject.payloads) - 1):
            continue
        expected = _reference(subject, layer)
        found = cache.reshape(expected.shape).double()
        error = float((found - expected).norm() / expected.norm())
        if not error <= NEAR:
            raise Wrong(f"layer {layer}: decoded with a relative error of {error:.2e}")
        worst = max(worst, error)
    return worst


def _reference(subject: Subject, layer: int) -> Tensor:
    """Float64 [2, kv_heads, tokens, head_dim] of what the symbols and escapes say."""
    model, payload = subject.model, subject.payloads[layer]
    q = subject.symbols[layer].double() - 128
    escapes = payload.taken_apart(payload.described)[0].escapes
    chunk, stream = escapes[0] // GEOMETRY.streams, escapes[0] % GEOMETRY.streams
    parts = GEOMETRY.streams // 2
    token = chunk * subject.chunks.size + escapes[1] // GEOMETRY.width
    channel = stream % parts * GEOMETRY.width + escapes[1] % GEOMETRY.width
    where = ((stream // parts).to(q.device), token.to(q.device), channel.to(q.device))
    q[where] = escapes[2].to(q.device).double()
    y = torch.sign(q) * (q.abs() - OFFSET)
    part = model.part(layer)
    matrices = model.steps[part, None, None].double() * model.bases[part].double()
    rows = torch.baddbmm(model.means[part, None].double(), y, matrices)
    heads = rows.view(2, -1, GEOMETRY.kv_heads, GEOMETRY.head_dim)
    return heads.transpose(1, 2)
