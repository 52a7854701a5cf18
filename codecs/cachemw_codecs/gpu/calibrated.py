"""The codec `transform` on the GPU: its calibration file and its payloads, as the kernels want them.

One level at a time is on the device. Matrices are those of the file, float16 [C, C] for keys and for
values: 2 x 2 MiB a layer for an 8B model, shared by all levels and settings.
"""

from __future__ import annotations

import numpy as np
import torch

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.errors import UnsupportedFormat
from cachemw_codecs.gpu.coder import DeviceTables
from cachemw_codecs.gpu.layers import LayerDecoder, LayerModel, LayerPayload
from cachemw_codecs.gpu.plan import Geometry, Piece, Run, plan_layer
from cachemw_codecs.gpu.transform import Inverse
from cachemw_codecs.transform import payload as form
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import SETTINGS

_KINDS = (0, 1)


def geometry_of(tables: TransformTables) -> Geometry:
    """Return how a layer is split: streams as the CPU's codec has them, one joint transform."""
    channels = tables.channels
    return Geometry(
        tables.kv_heads, channels // tables.kv_heads, form.stream_width(channels), channels
    )


def make_decoder(
    tables: TransformTables, level: str, device: torch.device, side_streams: int = 4
) -> LayerDecoder:
    """Bring a level's tables to `device`. Raises `UnsupportedFormat` for an unknown level."""
    if level not in LADDER:
        raise UnsupportedFormat(f"transform has no level {level!r}, only {', '.join(LADDER)}")
    at = LADDER.index(level)
    models = [_layer_model(tables, layer, at, device) for layer in range(tables.layers)]
    coder = DeviceTables.of(tables.coder, tables.offsets, device)
    return LayerDecoder(geometry_of(tables), coder, models, side_streams)


def read_payload(
    data: bytes | memoryview, tables: TransformTables, tokens: int, position: int, capacity: int
) -> LayerPayload:
    """Take what `Transform.encode_layer` wrote for `tokens` tokens; they go to `position` on.

    `capacity`: tokens that the layer's cache has room for. Pinned where there is a GPU. Raises
    `DamagedData`.
    """
    geometry = geometry_of(tables)
    payload = form.read(data, tokens, geometry.channels, geometry.width)
    pieces = []
    for piece in payload.pieces:
        pieces.append(Piece(piece.lengths, (Run(piece.tokens, position),), piece.setting))
        position += piece.tokens
    found = payload.escapes
    escapes = np.stack([found.stream, found.place, found.value.astype(np.int64)])
    plan = plan_layer(pieces, geometry, capacity)
    return LayerPayload.of(payload.streams, plan, escapes, pin=torch.cuda.is_available())


def _layer_model(
    tables: TransformTables, layer: int, level: int, device: torch.device
) -> LayerModel:
    width = form.stream_width(tables.channels)
    columns, steps, means = [], [], []
    for setting in range(SETTINGS):
        for kind in _KINDS:
            columns.append(tables.classes(layer, kind, level, setting).reshape(-1, width))
            steps.append(tables.step(level, setting))
            means.append(tables.mean(layer, kind, setting))
    inverse = Inverse(
        torch.from_numpy(np.ascontiguousarray(tables.synthesis[layer])).to(device),
        torch.tensor(steps, dtype=torch.float32, device=device),
        torch.from_numpy(np.stack(means)).to(device),
    )
    return LayerModel(torch.from_numpy(np.concatenate(columns)).to(device), inverse)
