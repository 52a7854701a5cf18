"""Every bit kept: exponents, and the signs that repeat, are entropy-coded. Own design.

Of a bfloat16 of a KV cache the mantissa is noise and the exponent has about 2.5 bits of
information in its 8: that caps any lossless codec near 1.5. Beyond that, keys have channels that
hardly ever change their sign.

A payload is one byte that says which, then

    0   the layer as `raw` writes it, where coding would not make it smaller
    1   tables      their number, 1 to 8, and each as `shipped` writes it
        peaks       a byte a column: the largest first plane there
        kinds       a byte a column: its table (3 bits), and above that the 32nds of its signs that
                    are negative, 1 to 31, or 0 where signs are not coded
        stream      its length, 32 bits, and one rANS stream of [tokens, columns + coded signs]
        rest        the planes between the first and the last as they are, then the last plane's
                    columns whose signs are not coded

A column is a channel, those of the keys before those of the values; planes are those of
`framing.to_planes`. Coded are the distance of the first plane to its column's peak, with a table
shared by columns of like spread, and the whole last plane of a column whose sign repeats. Its table
is made from the share of negative ones: within either sign all mantissas are equally likely.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.framing import (
    Bytes,
    Reader,
    Words,
    from_planes,
    from_words,
    to_planes,
    words,
)
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.shipped import read_table, table_as_bytes
from cachemw_codecs.coding import rans
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape, by_head, by_token

_AS_IT_IS = b"\0"
_CODED = b"\1"
_MOST_TABLES = 8
_VALUES_A_TABLE = 8192  # a table takes 20 to 100 bytes: fewer values do not earn them back
_SHARES = 32
_MOST_MINORITY = 12  # of 32 signs; with more of them less than 4 % of a bit is saved


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
        _ = kv.shape
        coded = _encoded(words(torch.cat([by_token(kv.keys), by_token(kv.values)], dim=1)))
        if len(coded) <= kv.shape.nbytes:
            return _CODED + coded
        return _AS_IT_IS + self._raw.encode_layer(layer, kv, self._raw.levels[0])

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """Decode the exponents and signs and put the rest beside them."""
        self.require_level(level)
        reader = Reader(payload)
        which = reader.take(1, "first byte").tobytes()
        if which == _AS_IT_IS:
            return self._raw.decode_layer(layer, payload[1:], shape, self._raw.levels[0])
        if which != _CODED:
            raise DamagedData("first byte: neither coded nor as it is")
        rows = from_words(_decoded(reader, shape), shape.dtype)
        reader.end()
        keys, values = rows[:, : shape.channels], rows[:, shape.channels :]
        return LayerKV(by_head(keys, shape), by_head(values, shape))


def _encoded(rows: Words) -> bytes:
    """Encode [tokens, columns]."""
    planes = to_planes(rows)
    first, last = planes[0], planes[-1]
    peaks = first.max(axis=0)
    distances = peaks - first
    classes = _by_spread(distances)
    shares = _negative_shares(last)
    coded = shares > 0
    shipped = _tables_of(distances, classes)
    stream = rans.encode(
        np.concatenate([distances, last[:, coded]], axis=1),
        _columns(classes, shares, len(shipped)),
        _with_sign_tables(shipped),
    )
    return b"".join(
        (
            bytes((len(shipped),)),
            *map(table_as_bytes, shipped),
            peaks.tobytes(),
            (shares << 3 | classes).tobytes(),
            len(stream).to_bytes(4, "little"),
            stream,
            planes[1:-1].tobytes(),
            last[:, ~coded].tobytes(),
        )
    )


def _decoded(reader: Reader, shape: LayerShape) -> Words:
    """Decode [tokens, columns]."""
    tokens, columns = shape.tokens, 2 * shape.channels
    count = int(reader.take(1, "tables")[0])
    if not 1 <= count <= _MOST_TABLES:
        raise DamagedData(f"tables: {count} is not within 1 to {_MOST_TABLES}")
    shipped = np.stack([read_table(reader) for _ in range(count)])
    peaks = reader.take(columns, "peaks")
    kinds = reader.take(columns, "kinds")
    classes: Bytes = np.bitwise_and(kinds, 7)
    shares: Bytes = np.right_shift(kinds, 3)
    if int(classes.max()) >= count:
        raise DamagedData(f"kinds: a column wants table {classes.max()} of {count}")
    stream = reader.take(reader.number("length of the stream"), "stream").tobytes()
    between = reader.take((shape.dtype.itemsize - 2) * tokens * columns, "planes")
    coded = shares > 0
    plain = reader.take(tokens * int((~coded).sum()), "signs")
    symbols = rans.decode(
        stream, tokens, _columns(classes, shares, count), _with_sign_tables(shipped)
    )
    last = np.empty((tokens, columns), np.uint8)
    last[:, coded] = symbols[:, columns:]
    last[:, ~coded] = plain.reshape(tokens, -1)
    middle = between.reshape(-1, tokens, columns)
    return from_planes([peaks - symbols[:, :columns], *middle, last])


def _by_spread(distances: Bytes) -> Bytes:
    """Return each column's class: equally many columns each, by their mean distance."""
    columns = distances.shape[1]
    count = min(max(distances.size // _VALUES_A_TABLE, 1), _MOST_TABLES, columns)
    order = np.argsort(distances.sum(axis=0, dtype=np.int64), kind="stable")
    classes = np.empty(columns, np.uint8)
    classes[order] = np.arange(columns) * count // columns
    return classes


def _negative_shares(last: Bytes) -> Bytes:
    """Return, for each column, how many 32nds of its signs are negative; 0 where many of both."""
    tokens = len(last)
    negative = (last & 1).sum(axis=0, dtype=np.int64)
    shares = np.clip((negative * _SHARES + tokens // 2) // tokens, 1, _SHARES - 1)
    repeats = (shares <= _MOST_MINORITY) | (shares >= _SHARES - _MOST_MINORITY)
    return np.where(repeats, shares, 0).astype(np.uint8)


def _tables_of(distances: Bytes, classes: Bytes) -> NDArray[np.uint16]:
    """Return the classes' tables, uint16 [classes, 256]."""
    counts = [
        np.bincount(distances[:, classes == one].ravel(), minlength=SYMBOLS)
        for one in range(int(classes.max()) + 1)
    ]
    return quantised(np.stack(counts).astype(np.float64))


def _columns(classes: Bytes, shares: Bytes, shipped: int) -> NDArray[np.int32]:
    """Return the stream's tables by column: exponents, then the signs that are coded."""
    signs = shares[shares > 0].astype(np.int32) + (shipped - 1)
    return np.concatenate([classes.astype(np.int32), signs])


def _with_sign_tables(shipped: NDArray[np.uint16]) -> FrequencyTables:
    """Append the 31 tables of signs: of 32, 1 to 31 are negative (odd symbols)."""
    negative = np.arange(1, _SHARES, dtype=np.uint16)[:, None]
    odd = np.arange(SYMBOLS) % 2 == 1
    return FrequencyTables(np.concatenate([shipped, np.where(odd, negative, _SHARES - negative)]))
