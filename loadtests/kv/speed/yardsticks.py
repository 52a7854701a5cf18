"""What the codec is measured beside: plain copies, and nvCOMP's ANS on the same symbols."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from cachemw_codecs.gpu.staged import LayerPayload
from torch import Tensor

from loadtests.kv.speed.timing import milliseconds

NVCOMP_CHUNK = 1 << 16


def device_copy(cache: Tensor, repeats: int) -> float:
    """Return the milliseconds of a copy of `cache` within the device."""
    target = torch.empty_like(cache)
    return milliseconds(lambda: target.copy_(cache), repeats)


def host_to_device(payloads: Sequence[LayerPayload], device: torch.device, repeats: int) -> float:
    """Return the milliseconds of a copy of all layers' words from pinned memory."""
    targets = [torch.empty_like(payload.words, device=device) for payload in payloads]

    def copy() -> None:
        for target, payload in zip(targets, payloads, strict=True):
            target.copy_(payload.words, non_blocking=True)

    return milliseconds(copy, repeats)


@dataclass(frozen=True, slots=True)
class Ans:
    """nvCOMP's ANS: milliseconds, and bytes it compressed to."""

    version: str
    encode_ms: float
    decode_ms: float
    compressed: int


def nvcomp_ans(symbols: Tensor, repeats: int) -> Ans | None:
    """Measure nvCOMP on `symbols`, uint8, a layer an array; None where it is not installed.

    Decoding with the sizes known beforehand, so that it need not wait for the device.
    """
    try:
        nvcomp: Any = importlib.import_module("nvidia.nvcomp")
    except ImportError:
        return None
    stream = torch.cuda.current_stream().cuda_stream
    codec = nvcomp.Codec(algorithm="ANS", uncomp_chunk_size=NVCOMP_CHUNK, cuda_stream=stream)
    layers = nvcomp.as_arrays([layer.reshape(-1) for layer in symbols], stream)
    encoded = codec.encode(layers)
    torch.cuda.synchronize()
    compressed = sum(one.buffer_size for one in encoded)
    sizes = codec.decompression_config(encoded)
    decoded = codec.decode(encoded, decompression_config=sizes)
    for one, layer in zip(decoded, symbols, strict=True):
        back = torch.as_tensor(one, device=symbols.device).view(torch.uint8)
        if not torch.equal(back, layer.reshape(-1)):
            raise RuntimeError("nvCOMP does not give back the symbols")
    del decoded
    return Ans(
        str(nvcomp.__version__),
        milliseconds(lambda: codec.encode(layers), repeats),
        milliseconds(lambda: codec.decode(encoded, decompression_config=sizes), repeats),
        compressed,
    )
