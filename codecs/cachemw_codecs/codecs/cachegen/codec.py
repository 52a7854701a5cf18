"""A layer to bytes and back."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from cachemw_codecs.codecs.base import LADDER, Codec
from cachemw_codecs.codecs.cachegen.rows import (
    Anchors,
    bits_of,
    decoded_anchors,
    deltas,
    joined,
    quantised_anchors,
    rows_of,
    to_layer,
    undone,
)
from cachemw_codecs.codecs.cachegen.steps import GROUP, MULTIPLES, Floats, is_anchor, quantised_by
from cachemw_codecs.codecs.cachegen.symbols import (
    ESCAPE,
    Symbols,
    kept,
    put_back,
    read_kept,
    to_numbers,
    to_symbols,
)
from cachemw_codecs.codecs.cachegen.tables import Model, Tables
from cachemw_codecs.codecs.framing import Reader, from_words
from cachemw_codecs.coding import rans
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape, require_finite

ANCHORS = 0
"""Stands where the multiple of steps does, for the model of anchors."""
_SCALES = 2
_LENGTH = 4


class CacheGen(Codec):
    """Anchors and deltas against static tables; see the package's docstring.

    A payload is: the length of the stream of anchors, four bytes, and the stream, whose columns are
    the scales of keys and of values and then all channels; the same of all other tokens, whose
    columns are the channels; then values kept as they are, in the cache's dtype, first of anchors.
    Without deltas there is one stream, of all tokens.

    Every value that decodes differs by at most half a step from what was encoded, before rounding
    to the dtype. Tables are made at the first use of a layer and level, and stay.
    """

    name: ClassVar[str] = "cachegen"
    levels: ClassVar[tuple[str, ...]] = LADDER

    def __init__(self, tables: bytes) -> None:
        """Read a calibration file, the bytes that `profile` returned.

        Raises `InvalidInput` where it is none, `UnsupportedFormat` for another version.
        """
        self.tables = Tables.read(tables)
        self.tables_hash = self.tables.digest
        self._models: dict[tuple[int, int], Model] = {}

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        """Quantise and code; raises `InvalidInput` for KV of another model's shape too."""
        multiple = MULTIPLES[self.require_level(level)]
        misfit = self._misfit(layer, kv.shape)
        if misfit:
            raise InvalidInput(misfit)
        require_finite(kv)
        rows, bits = rows_of(kv), bits_of(kv)
        streams, raw = [], []
        if self.tables.delta:
            symbols = self._anchor_symbols(layer, rows[::GROUP])
            streams.append(_coded(symbols, self.model(layer, ANCHORS)))
            raw.append(kept(symbols[:, _SCALES:], bits[::GROUP]))
            rows = deltas(rows, self._anchors(layer, symbols, rows[::GROUP]))
            bits = bits[~is_anchor(len(bits))]
        model = self.model(layer, multiple)
        symbols = to_symbols(quantised_by(rows, self._steps(layer, multiple)), *model)
        streams.append(_coded(symbols, model))
        raw.append(kept(symbols, bits))
        return b"".join(streams + raw)

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """Decode; a shape that the tables do not know is `DamagedData` too."""
        multiple = MULTIPLES[self.require_level(level)]
        misfit = self._misfit(layer, shape)
        if misfit:
            raise DamagedData(misfit)
        reader = Reader(payload)
        if not self.tables.delta:
            symbols = _decoded(reader, shape.tokens, self.model(layer, multiple))
            rows = self._values(layer, symbols, multiple)
            put_back(rows, symbols, _kept(reader, symbols, shape))
            reader.end()
            return to_layer(rows, shape)
        heads = -(-shape.tokens // GROUP)
        first = _decoded(reader, heads, self.model(layer, ANCHORS))
        rest = _decoded(reader, shape.tokens - heads, self.model(layer, multiple))
        anchors = self._anchors(layer, first, None)
        put_back(anchors, first[:, _SCALES:], _kept(reader, first[:, _SCALES:], shape))
        others = undone(self._values(layer, rest, multiple), anchors, shape.tokens)
        put_back(others, rest, _kept(reader, rest, shape))
        reader.end()
        return to_layer(joined(anchors, others), shape)

    def _misfit(self, layer: int, shape: LayerShape) -> str:
        known = self.tables
        if 0 <= layer < known.layers and shape.channels == known.channels:
            return ""
        return (
            f"layer {layer} of {shape.channels} channels: the tables are of {known.layers} layers "
            f"of {known.channels}"
        )

    def _steps(self, layer: int, multiple: int) -> Floats:
        steps: Floats = self.tables.steps[layer] * np.float32(multiple)
        return steps

    def model(self, layer: int, multiple: int) -> Model:
        """Return what a stream is coded with: of anchors, or of other tokens at a multiple."""
        model = self._models.get((layer, multiple))
        if model is None:
            tables = self.tables
            model = (
                tables.anchor_model(layer)
                if multiple == ANCHORS
                else tables.value_model(layer, multiple)
            )
            # Two threads may both make it: they make the same.
            self._models[layer, multiple] = model
        return model

    def _values(self, layer: int, symbols: Symbols, multiple: int) -> Floats:
        return to_numbers(symbols) * self._steps(layer, multiple)

    def _anchor_symbols(self, layer: int, rows: Floats) -> Symbols:
        anchors = quantised_anchors(rows)
        still = ~rows.reshape(len(rows), _SCALES, -1).any(axis=2)
        places = np.where(still, 0, anchors.exponents - self.tables.centres(layer))
        numbers = np.concatenate([places, anchors.numbers], axis=1)
        symbols = to_symbols(numbers, *self.model(layer, ANCHORS))
        # Where a scale is beyond all that was profiled, its row is kept as it is.
        beyond = np.repeat(symbols[:, :_SCALES] == ESCAPE, self.tables.channels, axis=1)
        symbols[:, _SCALES:][beyond] = ESCAPE
        return symbols

    def _anchors(self, layer: int, symbols: Symbols, raw: Floats | None) -> Floats:
        """Decode anchors; values kept as they are come from `raw`, of the same shape, if given."""
        places = to_numbers(symbols[:, :_SCALES]).astype(np.int32)
        numbers = to_numbers(symbols[:, _SCALES:])
        rows = decoded_anchors(Anchors(places + self.tables.centres(layer), numbers))
        if raw is None:
            return rows
        return np.where(symbols[:, _SCALES:] == ESCAPE, raw, rows)


def _coded(symbols: Symbols, model: Model) -> bytes:
    stream = rans.encode(symbols, *model) if len(symbols) else b""
    return len(stream).to_bytes(_LENGTH, "little") + stream


def _decoded(reader: Reader, tokens: int, model: Model) -> Symbols:
    length = int.from_bytes(reader.take(_LENGTH, "stream's length").tobytes(), "little")
    stream = reader.take(length, "stream").tobytes()
    if tokens:
        return rans.decode(stream, tokens, *model)
    if stream:
        raise DamagedData(f"stream: {len(stream)} bytes of no tokens")
    return np.empty((0, len(model.columns)), np.uint8)


def _kept(reader: Reader, symbols: Symbols, shape: LayerShape) -> Floats:
    bits = read_kept(reader, symbols, shape.dtype.itemsize)
    values: Floats = from_words(bits, shape.dtype).to(torch.float32).numpy()
    return values
