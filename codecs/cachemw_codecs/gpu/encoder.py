"""Payloads of the codec `transform` made on a GPU.

The bytes are of the same format as `codecs.transform.Transform` writes, and as large; where a value
lies between two symbols the other one may be chosen, as sums are rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.gpu.batches import Coded, Placed, RowBatch, place_chunks
from cachemw_codecs.gpu.coder import DeviceTables, Strides, encode
from cachemw_codecs.gpu.decoder import columns_of, geometry_of, require_level
from cachemw_codecs.gpu.quantise import limits_of, rounded, symbols_of
from cachemw_codecs.kv import LayerKV, require_finite
from cachemw_codecs.transform import payload as form
from cachemw_codecs.transform.blocks import BLOCK, cosines
from cachemw_codecs.transform.classes import ROUNDING
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import BODY, FIRST, SETTINGS, by_block

_KINDS = (0, 1)
_FARTHEST = 2.0**64
"""From the mean; see `transform.coordinates`."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """`analysis`: [2, C, C]. `means`: [2, 1, C]; `first`: what the first token's adds to y.

    `waves`: of each setting, [2, 16, 16] or [2, 1, 1], with its steps divided out. `columns`: of
    settings by token and of those by the block, see `decoder.columns_of`.
    """

    analysis: Tensor
    means: Tensor
    first: Tensor
    waves: tuple[Tensor, ...]
    columns: tuple[Tensor, Tensor]


class TransformEncoder:
    """Encodes layers of one model at one level. Safe to use from one thread at a time.

    `begins_context`, `ends_context`: see `Transform`. Of a model with C channels a layer takes
    8 C^2 bytes on the device. Where torch is allowed TF32, it is used.
    """

    def __init__(
        self,
        tables: TransformTables,
        level: str,
        device: torch.device,
        begins_context: bool = True,
        ends_context: bool = True,
    ) -> None:
        """Bring a level's tables to `device`; raises what `TransformDecoder` does.

        And `InvalidInput` where the synthesis has no inverse.
        """
        at = require_level(level)
        self._geometry = geometry_of(tables)
        self._device = device
        self._begins_context = begins_context
        self._ends_context = ends_context
        self._coder = DeviceTables.of(tables.coder, tables.offsets, device)
        self._limits = torch.from_numpy(limits_of(tables.codable)).to(device)
        self._layers = [_layer(tables, layer, at, device) for layer in range(tables.layers)]

    def encode_layer(self, layer: int, kv: LayerKV) -> bytes:
        """Encode one chunk; `kv` may be on the device. Raises `InvalidInput`."""
        return self.encode_chunks(layer, kv, [kv.shape.tokens])[0]

    def encode_chunks(self, layer: int, kv: LayerKV, sizes: Sequence[int]) -> list[bytes]:
        """Encode chunks of `sizes` tokens that lie in `kv` one after the other.

        Only the first can begin the context, only the last end it. A few launches for all of them
        together.
        """
        self._check(layer, kv, sizes)
        require_finite(kv)
        model = self._layers[layer]
        y = self._analysed(model, kv)
        chunks = place_chunks(sizes, self._begins_context, self._ends_context)
        batches: dict[bool, Coded] = {}
        for blocked in (False, True):
            placed = [one for chunk in chunks for one in chunk if one.blocked == blocked]
            if placed:
                batches[blocked] = self._coded(model, y, placed)
        return [_payload(number, chunk, batches) for number, chunk in enumerate(chunks)]

    def _check(self, layer: int, kv: LayerKV, sizes: Sequence[int]) -> None:
        shape, geometry = kv.shape, self._geometry
        if not 0 <= layer < len(self._layers):
            raise InvalidInput(f"layer: {layer}, but the model has {len(self._layers)}")
        if (shape.kv_heads, shape.head_dim) != (geometry.kv_heads, geometry.head_dim):
            raise InvalidInput(
                f"kv_heads x head_dim: {shape.kv_heads} x {shape.head_dim}, but the calibrated "
                f"model has {geometry.kv_heads} x {geometry.head_dim}"
            )
        if not sizes or min(sizes) < 1 or sum(sizes) != shape.tokens:
            raise InvalidInput(f"sizes: do not sum to {shape.tokens} tokens")

    def _analysed(self, model: _Layer, kv: LayerKV) -> Tensor:
        """Return coordinates of all tokens, [2, tokens, C]."""
        both = torch.stack([kv.keys.detach(), kv.values.detach()]).to(self._device)
        rows = both.transpose(1, 2).reshape(2, kv.shape.tokens, -1).float()
        centred = (rows - model.means).clamp_(-_FARTHEST, _FARTHEST)
        return torch.bmm(centred, model.analysis)

    def _coded(self, model: _Layer, y: Tensor, placed: list[Placed]) -> Coded:
        """Quantise and code the pieces that have a row a token, or those that have one a block."""
        batch = RowBatch.of(placed, self._geometry)
        blocked = placed[0].blocked
        columns = model.columns[blocked]
        symbols, escapes, quantised = [], [], []
        for setting, indices in batch.tokens_by_setting():
            q = self._quantised(model, y, setting, torch.from_numpy(indices).to(self._device))
            first = (setting - BODY if blocked else setting) * self._geometry.streams
            classes = columns[first : first + self._geometry.streams].long()
            found, beyond = symbols_of(q, self._limits[classes][:, None])
            symbols.append(found.flatten())
            escapes.append(beyond.flatten())
            quantised.append(q.flatten())
        streams = torch.from_numpy(batch.described()).to(self._device)
        order = Strides.rows(columns.shape[1])
        encoded = encode(torch.cat(symbols), streams, columns, self._coder, order)
        if bool(encoded.status.any()):
            raise InvalidInput("tables: a symbol has no frequency")
        where = torch.nonzero(torch.cat(escapes)).flatten()
        values = torch.cat(quantised)[where].to(torch.int16)
        return Coded.of(batch, encoded, where.cpu().numpy(), values.cpu().numpy())

    def _quantised(self, model: _Layer, y: Tensor, setting: int, tokens: Tensor) -> Tensor:
        """[streams, rows, columns] of the tokens, which all have this setting."""
        geometry = self._geometry
        block = BLOCK if by_block(setting) else 1
        rows = y.index_select(1, tokens)
        if setting == FIRST:
            rows += model.first
        by_frequency = rows.view(2, -1, block, geometry.channels)
        scaled = torch.matmul(model.waves[setting][:, None], by_frequency)
        parts = scaled.view(2, scaled.shape[1], block, -1, geometry.width).permute(0, 3, 1, 2, 4)
        return rounded(
            parts.reshape(geometry.streams, scaled.shape[1], block * geometry.width), ROUNDING
        )


def _payload(number: int, chunk: Sequence[Placed], batches: Mapping[bool, Coded]) -> bytes:
    """Put a chunk together."""
    pieces, streams = [], []
    for placed in chunk:
        lengths, content = batches[placed.blocked].piece(placed)
        pieces.append(form.Piece(placed.tokens, placed.setting, lengths))
        streams.append(content)
    found = np.concatenate([batch.escapes_of(number) for batch in batches.values()], axis=1)
    stream, place, value = found[:, np.lexsort((found[1], found[0]))]
    return form.write(pieces, form.Escapes(stream, place, value.astype(np.int16)), streams)


def _layer(tables: TransformTables, layer: int, level: int, device: torch.device) -> _Layer:
    synthesis = torch.from_numpy(np.ascontiguousarray(tables.synthesis[layer])).to(device).double()
    inverted, failed = torch.linalg.inv_ex(synthesis)
    if bool(failed.any()):
        raise InvalidInput("tables: synthesis has no inverse")
    analysis = inverted.float().contiguous()
    means = torch.from_numpy(np.ascontiguousarray(tables.means[:, layer, :, None])).to(device)
    waves = []
    for setting in range(SETTINGS):
        both = [_waves(tables.steps(layer, kind, level, setting)) for kind in _KINDS]
        waves.append(torch.from_numpy(np.stack(both)).to(device))
    return _Layer(
        analysis,
        means[0],
        torch.bmm(means[0] - means[1], analysis),
        tuple(waves),
        (
            columns_of(tables, layer, level, range(BODY), device),
            columns_of(tables, layer, level, range(BODY, SETTINGS), device),
        ),
    )


def _waves(steps: NDArray[np.float32]) -> NDArray[np.float32]:
    waves = cosines() if len(steps) > 1 else np.ones((1, 1), np.float32)
    return np.asarray(waves / steps[:, None], np.float32)
