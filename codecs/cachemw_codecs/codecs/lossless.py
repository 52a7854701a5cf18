"""Every bit kept. Own design; `exponents` says what is coded.

A payload is one byte that says which, then

    0   the layer as `raw` writes it, where coding would not make it smaller
    1   its tokens, as `exponents` codes them
    2   how many tokens differ, 64 bits; which of them each token is, 16 bits (32 if there are more
        than 65 536); the ones that differ, as `exponents` codes them

A token's row has the channels of the keys before those of the values. Tokens repeat in the first
layer: its values, and its keys before the rotary embedding, follow from the token alone.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.exponents import decode_rows, encode_rows
from cachemw_codecs.codecs.framing import Reader, Words, from_words, words
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape, by_head, by_token

_AS_IT_IS = b"\0"
_CODED = b"\1"
_REPEATS = b"\2"


class Lossless(Codec):
    """Bit-exact for bfloat16, float16 and float32, NaN payloads and denormal numbers included.

    No payload is more than a byte longer than the layer itself.
    """

    name: ClassVar[str] = "lossless"
    levels: ClassVar[tuple[str, ...]] = ("lossless",)

    def __init__(self) -> None:
        self._raw = Raw()

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        """Code exponents and signs with tables made from this layer."""
        self.require_level(level)
        shape = kv.shape
        rows = words(torch.cat([by_token(kv.keys), by_token(kv.values)], dim=1))
        places, firsts = _repeats(rows)
        # A value saved is worth a byte at least, and a place costs two or four.
        if (shape.tokens - len(firsts)) * rows.shape[1] > 4 * shape.tokens:
            count = len(firsts).to_bytes(8, "little")
            coded = (
                _REPEATS + count + _places_as_bytes(places, len(firsts)) + encode_rows(rows[firsts])
            )
        else:
            coded = _CODED + encode_rows(rows)
        if len(coded) <= shape.nbytes:
            return coded
        return _AS_IT_IS + self._raw.encode_layer(layer, kv, self._raw.levels[0])

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """Decode the exponents and signs and put the rest beside them."""
        self.require_level(level)
        reader = Reader(payload)
        which = reader.take(1, "first byte").tobytes()
        if which == _AS_IT_IS:
            return self._raw.decode_layer(layer, payload[1:], shape, self._raw.levels[0])
        columns, itemsize = 2 * shape.channels, shape.dtype.itemsize
        if which == _CODED:
            rows = decode_rows(reader, shape.tokens, columns, itemsize)
        elif which == _REPEATS:
            count = reader.number("tokens that differ")
            places = _read_places(reader, count, shape)
            rows = decode_rows(reader, count, columns, itemsize)[places]
        else:
            raise DamagedData(f"first byte: {which[0]} is no way of coding")
        reader.end()
        both = from_words(rows, shape.dtype)
        keys, values = both[:, : shape.channels], both[:, shape.channels :]
        return LayerKV(by_head(keys, shape), by_head(values, shape))


def _repeats(rows: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the distinct rows each row is, and where each of those comes first."""
    seen: dict[bytes, int] = {}
    places = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows], np.int64)
    return places, np.unique(places, return_index=True)[1]


def _place_type(count: int) -> str:
    return "<u2" if count <= 1 << 16 else "<u4"


def _places_as_bytes(places: NDArray[np.int64], count: int) -> bytes:
    return places.astype(_place_type(count)).tobytes()


def _read_places(reader: Reader, count: int, shape: LayerShape) -> NDArray[np.int64]:
    if not 1 <= count <= shape.tokens:
        raise DamagedData(f"tokens that differ: {count} is not within 1 to {shape.tokens}")
    kind = np.dtype(_place_type(count))
    places = reader.take(shape.tokens * kind.itemsize, "places").view(kind).astype(np.int64)
    if int(places.max()) >= count:
        raise DamagedData(f"places: token {places.max()} of {count}")
    return places
