"""The codec `transform` as it is used: a calibration file and payloads, decoder and encoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.gpu.decoder import Part, TransformDecoder
from cachemw_codecs.gpu.encoder import TransformEncoder
from cachemw_codecs.gpu.layers import ReadyLayer
from cachemw_codecs.gpu.staged import LayerPayload
from cachemw_codecs.kv import LayerKV, LayerShape
from cachemw_codecs.transform.tables import TransformTables
from torch import Tensor

from loadtests.kv.speed.calibrated import LEVEL, draw
from loadtests.kv.speed.subject import NEAR, Wrong
from loadtests.kv.speed.timing import Timing, milliseconds

KEPT = 4
"""Layers whose values stay, to time the encoder on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`tokens` of context, coded in chunks of `size` tokens each."""

    tokens: int
    size: int

    @property
    def sizes(self) -> list[int]:
        """Of the chunks."""
        return [self.size] * (self.tokens // self.size)


@dataclass(frozen=True, slots=True)
class CodecMeasured:
    """`error`: of what is decoded, relative to what the CPU decodes.

    `stage_ms`: what the host takes to read all payloads; `host_ms`: to start all layers.
    """

    shape: Shape
    bits_a_value: float
    error: float
    stage_ms: float
    host_ms: float
    timings: list[Timing]


@dataclass(frozen=True, slots=True)
class Coded:
    """All layers' payloads, chunk by chunk, and the first few layers' values."""

    tables: TransformTables
    shape: Shape
    payloads: list[list[bytes]]
    kept: list[LayerKV]

    @property
    def bf16_bytes(self) -> int:
        """Of one layer."""
        return 2 * 2 * self.tables.channels * self.shape.tokens

    @property
    def compressed_bytes(self) -> int:
        """Of all layers, heads of payloads included."""
        return sum(len(data) for layer in self.payloads for data in layer)

    def parts(self, layer: int) -> list[Part]:
        """Return a layer's chunks, at their places."""
        size = self.shape.size
        return [Part(data, size, i * size) for i, data in enumerate(self.payloads[layer])]


def code(
    tables: TransformTables, shape: Shape, encoder: TransformEncoder, generator: torch.Generator
) -> Coded:
    """Draw and encode all layers."""
    payloads, kept = [], []
    for layer in range(tables.layers):
        kv = draw(tables, layer, shape.tokens, generator)
        payloads.append(encoder.encode_chunks(layer, kv, shape.sizes))
        if layer < KEPT:
            kept.append(kv)
    return Coded(tables, shape, payloads, kept)


def check(coded: Coded, caches: Sequence[Tensor]) -> float:
    """Compare the last chunk of the first and the last layer with what the CPU decodes.

    Returns the largest relative error, norm by norm; raises `Wrong` above `NEAR`.
    """
    tables, size = coded.tables, coded.shape.size
    dim = tables.channels // tables.kv_heads
    shape = LayerShape(tables.kv_heads, size, dim, torch.float32)
    worst = 0.0
    for layer in {0, tables.layers - 1}:
        kv = Transform(tables).decode_layer(layer, coded.payloads[layer][-1], shape, LEVEL)
        expected = torch.stack([kv.keys, kv.values])
        found = caches[layer][:, :, -size:].cpu().float()
        error = float((found - expected).norm() / expected.norm())
        if not error <= NEAR:
            raise Wrong(f"layer {layer}: differs from the CPU's by {error:.2e}")
        worst = max(worst, error)
    return worst


def measure_codec(
    tables: TransformTables,
    shape: Shape,
    generator: torch.Generator,
    repeats: int,
    side_streams: Sequence[int],
) -> CodecMeasured:
    """Encode, check and time where `generator` is. Raises `Wrong`."""
    device = generator.device
    encoder = TransformEncoder(tables, LEVEL, device)
    coded = code(tables, shape, encoder, generator)
    dim = tables.channels // tables.kv_heads
    size = (tables.layers, 2, tables.kv_heads, shape.tokens, dim)
    cache = torch.full(size, torch.nan, dtype=torch.bfloat16, device=device)
    caches = list(cache.unbind(0))
    timings, stage_ms, host_ms = _decoding(coded, caches, repeats, side_streams)
    timings.append(_encoding(coded, encoder, repeats))
    return CodecMeasured(
        shape,
        8 * coded.compressed_bytes / cache.numel(),
        check(coded, caches),
        stage_ms,
        host_ms,
        timings,
    )


def _decoding(
    coded: Coded, caches: list[Tensor], repeats: int, side_streams: Sequence[int]
) -> tuple[list[Timing], float, float]:
    """Time decoding; returns milliseconds to stage and to start all layers too."""
    tables, whole = coded.tables, coded.bf16_bytes * coded.tables.layers
    timings: list[Timing] = []
    stage_ms = host_ms = 0.0
    for count in side_streams:
        decoder = TransformDecoder(tables, LEVEL, caches[0].device, count)
        begin = time.perf_counter()
        staged = [
            decoder.stage(coded.parts(layer), coded.shape.tokens) for layer in range(tables.layers)
        ]
        stage_ms = 1000 * (time.perf_counter() - begin)

        def run(
            decoder: TransformDecoder = decoder, staged: list[LayerPayload] = staged
        ) -> list[ReadyLayer]:
            started = decoder.decode_layers(staged, caches)
            for ready in started:
                ready.wait()
            return started

        took = milliseconds(run, repeats)
        words = sum(2 * payload.plan.words for payload in staged)
        timings.append(Timing(f"decode, layer by layer, {count} side streams", took, whole, words))
        for cache in caches:
            cache.fill_(torch.nan)
        begin = time.perf_counter()
        started = run()
        host_ms = 1000 * (time.perf_counter() - begin)
        for ready in started:
            ready.require_good()

    def one() -> None:
        decoder.decode_layers(staged[:1], caches[:1])[0].wait()

    first = milliseconds(one, repeats)
    timings.append(Timing("decode, the first layer alone", first, coded.bf16_bytes))
    return timings, stage_ms, host_ms


def _encoding(coded: Coded, encoder: TransformEncoder, repeats: int) -> Timing:
    def run() -> None:
        for layer, kv in enumerate(coded.kept):
            encoder.encode_chunks(layer, kv, coded.shape.sizes)

    done = len(coded.kept) * coded.bf16_bytes
    return Timing("encode to payloads on the host", milliseconds(run, repeats), done)
