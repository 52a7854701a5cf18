"""Ours: decorrelated where errors cost equally, one step for all, rANS with parametric tables.

A chunk's tokens are cut into pieces (`transform.zones`): a first token, the next three, the body,
and where the chunk ends the context the last 256, 64 and 16. Of each piece every layer's keys, and
its values, are brought into the coordinates of the calibration file and, 16 tokens at a time, into
frequencies; quantised with the step of level, piece and frequency; and coded with the table that
fits each coordinate's scale in steps.

Source: own design, after KVTC (arXiv 2511.01815: PCA of keys before RoPE, bits by importance). Ours
has the metric of the model's own answers in place of the Euclidean one, and one step and an entropy
coder in place of bit widths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.codecs.base import LADDER, Codec
from cachemw_codecs.coding import rans
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape, by_head, by_token, require_finite
from cachemw_codecs.transform import payload as form
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.coordinates import Place, analyse, synthesise
from cachemw_codecs.transform.quantise import dequantise, quantise
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import by_block, pieces

_KINDS = (0, 1)
"""Keys, values."""


class Transform(Codec):
    """Needs the calibration file of its model: `cachemw_codecs.transform.calibrate`.

    `begins_context`, `ends_context`: see `placed`; a container's writer sets them. Decoding is the
    same either way. A chunk from the middle that is coded as a beginning is damaged: what stands at
    its first token is far from a sink, and in steps so fine that values saturate.
    """

    name: ClassVar[str] = "transform"
    levels: ClassVar[tuple[str, ...]] = LADDER

    def __init__(
        self,
        tables: bytes | TransformTables,
        begins_context: bool = True,
        ends_context: bool = True,
    ) -> None:
        loaded = tables if isinstance(tables, TransformTables) else TransformTables.load(tables)
        self._tables = loaded
        self._begins_context = begins_context
        self._ends_context = ends_context
        self._width = form.stream_width(loaded.channels)
        self.tables_hash = loaded.digest

    def placed(self, *, begins: bool, ends: bool) -> Codec:
        """Return the same codec with finer steps only where they are due."""
        return Transform(self._tables, begins_context=begins, ends_context=ends)

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        """Encode; values further out than 32 767 steps are brought there."""
        at = self.require_level(level)
        misfit = self._misfit(layer, kv.shape)
        if misfit:
            raise InvalidInput(misfit)
        require_finite(kv)
        rows = [by_token(part.detach()).float().numpy() for part in (kv.keys, kv.values)]
        made: list[form.Piece] = []
        streams: list[bytes] = []
        escapes = form.EscapeList()
        for piece in pieces(kv.shape.tokens, self._begins_context, self._ends_context):
            first = len(streams)
            for kind in _KINDS:
                place = Place(layer, kind, at, piece.setting)
                y = analyse(self._tables, place, rows[kind][piece.start : piece.stop])
                for channels, classes in self._streams(place):
                    coded = quantise(_columns(y, channels), self._tables.codable[classes])
                    escapes.add(len(streams), coded.places, coded.values)
                    streams.append(rans.encode(coded.symbols, classes, self._tables.coder))
            lengths = tuple(len(stream) for stream in streams[first:])
            made.append(form.Piece(piece.tokens, piece.setting, lengths))
        return form.write(made, escapes.joined(), streams)

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """Decode with float32 arithmetic."""
        at = self.require_level(level)
        misfit = self._misfit(layer, shape)
        if misfit:
            raise DamagedData(misfit)
        data = form.read(payload, shape.tokens, shape.channels, self._width)
        streams = data.each_stream()
        rows = np.empty((2, shape.tokens, shape.channels), np.float32)
        begin = 0
        for piece in data.pieces:
            end = begin + piece.tokens
            for kind in _KINDS:
                place = Place(layer, kind, at, piece.setting)
                block = BLOCK if by_block(piece.setting) else 1
                y = np.empty((piece.tokens // block, block, shape.channels), np.float32)
                for channels, classes in self._streams(place):
                    stream = next(streams)
                    symbols = rans.decode(stream.coded, len(y), classes, self._tables.coder)
                    y[:, :, channels] = dequantise(
                        symbols, stream.places, stream.values, self._tables.offsets[classes]
                    ).reshape(len(y), block, -1)
                rows[kind, begin:end] = synthesise(self._tables, place, y)
            begin = end
        return LayerKV(_as_part(rows[0], shape), _as_part(rows[1], shape))

    def _streams(self, place: Place) -> Iterator[tuple[slice, NDArray[np.int32]]]:
        """Which channels each stream of a piece's keys or values has, and its columns' classes."""
        classes = self._tables.classes(place.layer, place.kind, place.level, place.setting)
        for start in range(0, classes.shape[1], self._width):
            channels = slice(start, start + self._width)
            yield channels, classes[:, channels].ravel()

    def _misfit(self, layer: int, shape: LayerShape) -> str:
        """Say why the layer is not one of the calibrated model's; empty where it is."""
        tables = self._tables
        if not 0 <= layer < tables.layers:
            return f"layer: {layer}, but the calibrated model has {tables.layers}"
        if (shape.kv_heads, shape.channels) != (tables.kv_heads, tables.channels):
            return (
                f"kv_heads x head_dim: {shape.kv_heads} x {shape.head_dim}, but the calibrated "
                f"model has {tables.kv_heads} x {tables.channels // tables.kv_heads}"
            )
        return ""


def _columns(y: NDArray[np.float32], channels: slice) -> NDArray[np.float32]:
    """[rows, frequencies, C] -> the columns of a stream, [rows, frequencies x channels]."""
    return y[:, :, channels].reshape(len(y), -1)


def _as_part(rows: NDArray[np.float32], shape: LayerShape) -> Tensor:
    """To the layer's dtype; what rounding made too large for it becomes its largest value."""
    largest = torch.finfo(shape.dtype).max
    return by_head(torch.from_numpy(rows).clamp_(-largest, largest).to(shape.dtype), shape)
