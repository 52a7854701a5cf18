"""Payloads of the codec `transform`, as `codecs.transform.Transform` wrote them, on a GPU.

Differences from the CPU's decoding: values in steps, and what blocks make of them, are float16 on
their way between kernels, sums are float32. That is an error below 2^-10 of the largest
values that share a block, where rounding the result to bfloat16 makes one of 2^-9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.errors import DamagedData, InvalidInput, UnsupportedFormat
from cachemw_codecs.gpu.coder import DeviceTables, require_good
from cachemw_codecs.gpu.layers import LayerDecoder, LayerModel, ReadyLayer
from cachemw_codecs.gpu.plan import Geometry, Piece, Run, plan_layer
from cachemw_codecs.gpu.staged import LayerPayload
from cachemw_codecs.gpu.transform import Inverse
from cachemw_codecs.kv import LayerShape
from cachemw_codecs.transform import payload as form
from cachemw_codecs.transform.blocks import BLOCK, cosines
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import BODY, SETTINGS

_KINDS = (0, 1)
_HEADROOM = 4.0
"""Sums of 16 coefficients of 2^15, with a cosine's sqrt(1/8) each, divided by this fit float16."""


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk's payload of one layer: `tokens` that go to `position` of the cache and on."""

    data: bytes | memoryview
    tokens: int
    position: int = 0


class TransformDecoder:
    """Decodes layers of one model at one level. Safe to use from one thread at a time.

    Of a model with C channels a layer takes 4 C^2 bytes on the device, and 3 KiB a channel.
    """

    def __init__(
        self, tables: TransformTables, level: str, device: torch.device, side_streams: int = 4
    ) -> None:
        """Bring a level's tables to `device`. `side_streams`: at least 1; see `gpu.layers`.

        Raises `UnsupportedFormat` for an unknown level and `InvalidInput` for heads whose dimension
        is not a multiple of 16.
        """
        at = require_level(level)
        self._geometry = geometry_of(tables)
        models = [_layer_model(tables, layer, at, device) for layer in range(tables.layers)]
        coder = DeviceTables.of(tables.coder, tables.offsets, device)
        self._layers = LayerDecoder(self._geometry, coder, models, side_streams)
        self._pin = device.type == "cuda"

    def stage(self, parts: Sequence[Part], capacity: int) -> LayerPayload:
        """Read the payloads of one layer, for a cache of `capacity` tokens; pinned memory.

        Raises `DamagedData`. Where parts overlap in the cache, either may be found there.
        """
        geometry = self._geometry
        pieces: list[Piece] = []
        streams: list[memoryview] = []
        escapes: list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = []
        for part in parts:
            read = form.read(part.data, part.tokens, geometry.channels, geometry.width)
            found = read.escapes
            if bool((np.diff(found.stream << 32 | found.place) <= 0).any()):
                raise DamagedData("escapes: their places do not ascend")
            number = found.stream + len(pieces) * geometry.streams
            escapes.append(np.stack([number, found.place, found.value.astype(np.int64)]))
            streams.append(read.streams)
            position = part.position
            for piece in read.pieces:
                pieces.append(Piece(piece.lengths, (Run(piece.tokens, position),), piece.setting))
                position += piece.tokens
        plan = plan_layer(pieces, geometry, capacity)
        listed = np.concatenate(escapes, axis=1)
        return LayerPayload.of(b"".join(streams), plan, listed, self._pin)

    def decode_layer(
        self, layer: int, payload: bytes | memoryview, shape: LayerShape, cache: Tensor
    ) -> None:
        """Decode one chunk to the front of `cache`, [2, kv_heads, capacity, head_dim], keys first.

        Waits for the device. Raises `DamagedData`, and then what is in the cache means nothing, and
        `InvalidInput` where the cache is not on the device, contiguous and of `shape`.
        """
        have = (cache.shape[1], cache.shape[-1], cache.dtype)
        if have != (shape.kv_heads, shape.head_dim, shape.dtype):
            raise InvalidInput(f"cache: {list(cache.shape)} {cache.dtype} is not for {shape}")
        staged = self.stage([Part(payload, shape.tokens)], cache.shape[-2])
        require_good(self._layers.decode_layer(layer, staged, cache))

    def decode_layers(
        self, payloads: Sequence[LayerPayload], caches: Sequence[Tensor]
    ) -> list[ReadyLayer]:
        """Start all layers, first to last, on side streams, and return without waiting.

        Each says when it is there, and whether its data were sound. The payloads must live until
        then. Without a GPU, under Triton's interpreter, they are there on return.
        """
        return self._layers.decode_layers(payloads, caches)


def require_level(level: str) -> int:
    """Return the level's place in the ladder; raises `UnsupportedFormat`."""
    if level not in LADDER:
        raise UnsupportedFormat(f"transform has no level {level!r}, only {', '.join(LADDER)}")
    return LADDER.index(level)


def geometry_of(tables: TransformTables) -> Geometry:
    """Return how a layer is split: streams as in the payload, one transform for all heads.

    Raises `InvalidInput` for heads whose dimension is not a multiple of 16.
    """
    head_dim = tables.channels // tables.kv_heads
    if head_dim % 16:
        raise InvalidInput(f"head_dim: {head_dim} is not a multiple of 16")
    width = form.stream_width(tables.channels)
    return Geometry(tables.kv_heads, head_dim, width, tables.channels, BLOCK, BODY)


def columns_of(
    tables: TransformTables, layer: int, level: int, settings: range, device: torch.device
) -> Tensor:
    """Return the classes of a stream's columns, int32 [settings x streams of a piece, columns]."""
    width = form.stream_width(tables.channels)
    rows = []
    for setting in settings:
        for kind in _KINDS:
            classes = tables.classes(layer, kind, level, setting)
            parts = classes.reshape(len(classes), -1, width).transpose(1, 0, 2)
            rows.append(parts.reshape(len(parts), -1))
    return torch.from_numpy(np.concatenate(rows)).to(device)


def _layer_model(
    tables: TransformTables, layer: int, level: int, device: torch.device
) -> LayerModel:
    largest, means, bases = [], [], []
    for setting in range(SETTINGS):
        for kind in _KINDS:
            steps = tables.steps(layer, kind, level, setting)
            blocked = len(steps) > 1
            largest.append(steps.max() * (_HEADROOM if blocked else 1.0))
            means.append(tables.mean(layer, kind, setting))
            if blocked:
                bases.append(cosines() * (steps / (steps.max() * _HEADROOM))[:, None])
    inverse = Inverse(
        torch.from_numpy(np.ascontiguousarray(tables.synthesis[layer])).to(device),
        torch.from_numpy(np.array(largest, np.float32)).to(device),
        torch.from_numpy(np.stack(means)).to(device),
    )
    return LayerModel(
        columns_of(tables, layer, level, range(BODY), device),
        inverse,
        columns_of(tables, layer, level, range(BODY, SETTINGS), device),
        torch.from_numpy(np.stack(bases).astype(np.float32)).to(device),
    )
