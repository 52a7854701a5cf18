"""Rows of floating-point words as bytes: exponents, and signs that repeat, are entropy-coded.

Of a bfloat16 of a KV cache the mantissa is noise and the exponent has about 2.5 bits of
information in its 8: that caps a lossless code near 1.5. Beyond that, keys have channels that
hardly ever change their sign. Own design.

The bytes are

    tables      their number, 1 to 8, and each as `shipped` writes it
    peaks       a byte a column: the largest first plane there
    kinds       a byte a column: its table (3 bits), and above that the 32nds of its signs that are
                negative, 1 to 31, or 0 where signs are not coded
    stream      its length, 64 bits, and one rANS stream of [tokens, columns + coded signs]
    rest        the planes between the first and the last as they are, then the last plane's columns
                whose signs are not coded

A column is a channel; planes are those of `framing.to_planes`. Coded are the distance of the first
plane to its column's peak, with a table shared by columns of like spread, and the whole last plane
of a column whose sign repeats. Its table is made from the share of negative ones: within either
sign all mantissas are equally likely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.codecs.framing import Bytes, Reader, Words, from_planes, to_planes
from cachemw_codecs.codecs.shipped import read_table, table_as_bytes
from cachemw_codecs.coding import rans
from cachemw_codecs.coding.compiled import compiled
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from cachemw_codecs.errors import DamagedData

_MOST_TABLES = 8
_VALUES_A_TABLE = 8192  # a table takes 20 to 100 bytes: fewer values do not earn them back
_SHARES = 32
_MOST_MINORITY = 12  # of 32 signs; with more of them less than 5 % of a bit is saved


def encode_rows(rows: Words) -> bytes:
    """Encode [tokens, columns] of 16 or 32 bits, with tables made from these rows."""
    planes = to_planes(rows)
    first, last = planes[0], planes[-1]
    peaks = first.max(axis=0)
    distances = peaks - first
    classes = _by_spread(distances)
    shares = _negative_shares(last)
    repeating = shares > 0
    shipped = _tables_of(distances, classes)
    stream = rans.encode(
        np.concatenate([distances, np.compress(repeating, last, axis=1)], axis=1),
        _columns(classes, shares, len(shipped)),
        _with_sign_tables(shipped),
    )
    return b"".join(
        (
            bytes((len(shipped),)),
            *map(table_as_bytes, shipped),
            peaks.tobytes(),
            (shares << 3 | classes).tobytes(),
            len(stream).to_bytes(8, "little"),
            stream,
            planes[1:-1].tobytes(),
            np.compress(~repeating, last, axis=1).tobytes(),
        )
    )


def decode_rows(reader: Reader, tokens: int, columns: int, itemsize: int) -> Words:
    """Decode to [tokens, columns] of `itemsize` bytes; raises `DamagedData`."""
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
    between = reader.take((itemsize - 2) * tokens * columns, "planes")
    plain = reader.take(tokens * int((shares == 0).sum()), "signs").reshape(tokens, -1)
    symbols = rans.decode(
        stream, tokens, _columns(classes, shares, count), _with_sign_tables(shipped)
    )
    # Columns with coded signs stand first there; `place` undoes that.
    place = np.argsort(np.argsort(shares == 0, kind="stable"))
    last = np.take(np.concatenate([symbols[:, columns:], plain], axis=1), place, axis=1)
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
    counts = np.zeros((int(classes.max()) + 1, SYMBOLS), np.int64)
    _count(distances, classes, counts)
    return quantised(counts.astype(np.float64))


@compiled
def _count(distances: Bytes, classes: Bytes, counts: NDArray[np.int64]) -> None:
    tokens, columns = distances.shape
    for token in range(tokens):
        for column in range(columns):
            counts[classes[column], distances[token, column]] += 1


def _columns(classes: Bytes, shares: Bytes, shipped: int) -> NDArray[np.int32]:
    """Return the stream's tables by column: exponents, then the signs that are coded."""
    signs = shares[shares > 0].astype(np.int32) + (shipped - 1)
    return np.concatenate([classes.astype(np.int32), signs])


def _with_sign_tables(shipped: NDArray[np.uint16]) -> FrequencyTables:
    """Append the 31 tables of signs: of 32, 1 to 31 are negative (odd symbols)."""
    negative = np.arange(1, _SHARES, dtype=np.uint16)[:, None]
    odd = np.arange(SYMBOLS) % 2 == 1
    return FrequencyTables(np.concatenate([shipped, np.where(odd, negative, _SHARES - negative)]))
