"""Everything that is timed, for one length of context and size of chunk."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from cachemw_codecs.gpu.coder import DeviceTables, encode, require_good
from cachemw_codecs.gpu.layers import LayerDecoder
from torch import Tensor

from loadtests.kv.speed.chunks import ROWS, Chunks, encode_layer
from loadtests.kv.speed.inputs import GEOMETRY, Model
from loadtests.kv.speed.subject import (
    AllAtOnce,
    Subject,
    check_cache,
    check_symbols,
    prepare,
)
from loadtests.kv.speed.timing import Timing, milliseconds
from loadtests.kv.speed.yardsticks import Ans, device_copy, host_to_device, nvcomp_ans

KEPT = 4
"""Layers whose values stay, to time the encoder on."""
SIDE_STREAMS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Measured:
    """`timings`: in the order they are reported. `error`: see `subject.check_cache`."""

    chunks: Chunks
    bits_a_value: float
    escapes: float
    error: float
    timings: list[Timing]
    ans: Ans | None
    host_ms: float
    """What the host spends to start the layers of a cache on side streams."""


def measure(
    chunks: Chunks, model: Model, tables: DeviceTables, generator: torch.Generator, repeats: int
) -> Measured:
    """Encode, check and time. Raises `Wrong` where anything decoded is not right."""
    subject = prepare(chunks, model, tables, generator, KEPT)
    device = model.bases.device
    shape = (len(subject.payloads), 2, GEOMETRY.kv_heads, chunks.tokens, GEOMETRY.head_dim)
    cache = torch.full(shape, torch.nan, dtype=torch.bfloat16, device=device)
    whole = subject.bf16_bytes
    timings = _decoding(subject, cache, repeats)
    error = check_cache(subject, cache)
    by_layer, host_ms = _by_layer(subject, cache, repeats)
    timings += by_layer
    timings += _encoding(subject, repeats)
    timings.append(Timing("device copy of the bf16 cache", device_copy(cache, repeats), whole))
    del cache
    words = sum(2 * payload.plan.words for payload in subject.payloads)
    copied = host_to_device(subject.payloads, device, repeats)
    timings.append(Timing("copy of the compressed bytes to the device", copied, whole, words))
    ans = nvcomp_ans(subject.symbols, repeats)
    if ans:
        count = subject.symbols.numel()
        timings.append(Timing("nvCOMP ANS decode", ans.decode_ms, whole, count))
        timings.append(Timing("nvCOMP ANS encode", ans.encode_ms, whole, count))
    escapes = sum(p.escapes[0] for p in subject.payloads) / subject.symbols.numel()
    return Measured(chunks, subject.bits_a_value, escapes, error, timings, ans, host_ms)


def _decoding(subject: Subject, cache: Tensor, repeats: int) -> list[Timing]:
    """All layers in one launch; `cache` holds what was decoded afterwards."""
    batch = AllAtOnce(subject)
    check_symbols(subject, batch)
    whole, symbols = subject.bf16_bytes, subject.symbols.numel()
    entropy = milliseconds(batch.entropy, repeats)
    fused = milliseconds(lambda: batch.fused(cache), repeats)
    second = milliseconds(lambda: batch.transform(cache), repeats)
    cache.fill_(torch.nan)
    require_good(batch.fused(cache))
    return [
        Timing("decode, all layers at once", fused, whole),
        Timing("... its rANS alone, to bytes", entropy, whole, symbols),
        Timing("... its transform alone", second, whole),
    ]


def _by_layer(subject: Subject, cache: Tensor, repeats: int) -> tuple[list[Timing], float]:
    """Decode layer after layer from pinned memory; the copies are in the time."""
    model, whole = subject.model, subject.bf16_bytes
    caches = list(cache.unbind(0))
    timings = []
    host_ms = 0.0
    before = cache.clone()
    for count in SIDE_STREAMS:
        decoder = LayerDecoder(GEOMETRY, subject.tables, model.layers, count)

        def run(decoder: LayerDecoder = decoder) -> None:
            for ready in decoder.decode_layers(subject.payloads, caches):
                ready.wait()

        took = milliseconds(run, repeats)
        timings.append(Timing(f"decode, layer by layer, {count} side streams", took, whole))
        cache.fill_(torch.nan)
        begin = time.perf_counter()
        started = decoder.decode_layers(subject.payloads, caches)
        host_ms = 1000 * (time.perf_counter() - begin)
        for ready in started:
            ready.require_good()
        if not torch.equal(cache, before):
            raise RuntimeError("layer by layer decodes to other values than all at once")
    first = milliseconds(lambda: decoder.decode_layer(0, subject.payloads[0], caches[0]), repeats)
    timings.append(Timing("decode, the first layer alone", first, subject.chunks.bf16_bytes))
    return timings, host_ms


def _encoding(subject: Subject, repeats: int) -> list[Timing]:
    """Encode the kept layers one after the other, to words on the device."""
    chunks, model, tables = subject.chunks, subject.model, subject.tables
    described = torch.from_numpy(chunks.described()).to(model.bases.device)
    done = len(subject.values) * chunks.bf16_bytes

    def whole() -> None:
        for layer, values in enumerate(subject.values):
            encode_layer(values, layer, model, tables, described)

    def entropy() -> None:
        for layer in range(len(subject.values)):
            columns = model.layers[layer].columns
            encode(subject.symbols[layer], described, columns, tables, ROWS)

    return [
        Timing("encode with transform and quantisation", milliseconds(whole, repeats), done),
        Timing("... its rANS alone, from bytes", milliseconds(entropy, repeats), done, done // 2),
    ]
