"""How the SQLite store reads many rows: in steps that leave gets their turn in between.

Each function is one step, run in the reader's thread; it looks at a bounded number of rows, also
where none of them is wanted, and may raise `sqlite3.Error`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cachemw.stores.base import Document, Embedded, EntryInfo, IndexRow
from cachemw.stores.codec import CorruptDocument, DocumentCodec
from cachemw.stores.sqlite_rows import CorruptRow, decode, embedded, read

#: Documents decoded in one step, and stored bytes after which it ends: about 2 ms.
_DECODED_AT_ONCE = 64
_BYTES_AT_ONCE = 256 << 10
#: Index rows read in one step: about 1 ms.
_ROWS_AT_ONCE = 128

#: Where the next batch ends. It bounds the rows looked at, not the rows found: a fingerprint that
#: matches nothing must not hold the reader for the length of the whole file.
_BATCH_END = "SELECT MAX(id) FROM (SELECT id FROM documents WHERE id > ? ORDER BY id LIMIT ?)"
_INDEX_ROWS = """
SELECT id, key, expires_at, fingerprint, partition, vector, vector_crc FROM documents
WHERE id > ? AND id <= ? AND fingerprint = ? AND expires_at > ? ORDER BY id
"""
_INDEX_ROW = """
SELECT id, key, expires_at, fingerprint, partition, vector, vector_crc FROM documents
WHERE key = ? AND fingerprint = ? AND expires_at > ?
"""
#: By key: a replaced document keeps its place, so that none is met twice and none is missed.
_ENTRIES = """
SELECT id, key, stored_bytes, document FROM documents WHERE key >= ? ORDER BY key LIMIT ?
"""

_ENTRY = "SELECT id, key, stored_bytes, document FROM documents WHERE key = ?"

_T = TypeVar("_T")
_Position = TypeVar("_Position")


@dataclass(slots=True)
class Step(Generic[_T, _Position]):
    """What one step found, what was damaged, and where the next begins (None: nowhere)."""

    position: _Position | None
    found: list[_T] = field(default_factory=list)
    corrupt: list[CorruptRow] = field(default_factory=list)


def documents(
    connection: sqlite3.Connection,
    *,
    codec: DocumentCodec,
    keys: Sequence[bytes],
    start: int,
    now: float,
) -> Step[Document, int]:
    """Return the live documents among `keys` from number `start` on."""
    step: Step[Document, int] = Step(None)
    size = 0
    for position in range(start, len(keys)):
        if position == start + _DECODED_AT_ONCE or size >= _BYTES_AT_ONCE:
            step.position = position
            break
        try:
            document = read(connection, codec, keys[position], now)
        except CorruptRow as corrupt:
            step.corrupt.append(corrupt)
            continue
        if document is not None:
            step.found.append(document)
            size += len(document.body)
    return step


def entries(
    connection: sqlite3.Connection, *, codec: DocumentCodec, start: bytes, now: float
) -> Step[EntryInfo, bytes]:
    """Return what is known of the live documents from key `start` on."""
    step: Step[EntryInfo, bytes] = Step(None)
    looked_at = size = 0
    # Closed in any case: a statement that was left in the middle holds up checkpoints.
    with closing(connection.execute(_ENTRIES, (start, _DECODED_AT_ONCE))) as rows:
        for row_id, key, stored_bytes, data in rows:
            looked_at += 1
            size += stored_bytes
            _add_entry(step, codec, now, (row_id, key, stored_bytes, data))
            if looked_at == _DECODED_AT_ONCE or size >= _BYTES_AT_ONCE:
                step.position = key + b"\0"  # the next one in the order of keys
                break
    return step


def entries_of(
    connection: sqlite3.Connection,
    *,
    codec: DocumentCodec,
    keys: Sequence[bytes],
    start: int,
    now: float,
) -> Step[EntryInfo, int]:
    """Return what is known of the live documents among `keys` from number `start` on."""
    step: Step[EntryInfo, int] = Step(None)
    size = 0
    for position in range(start, len(keys)):
        if position == start + _DECODED_AT_ONCE or size >= _BYTES_AT_ONCE:
            step.position = position
            break
        row = connection.execute(_ENTRY, (keys[position],)).fetchone()
        if row is not None:
            size += row[2]
            _add_entry(step, codec, now, row)
    return step


def _add_entry(
    step: Step[EntryInfo, Any], codec: DocumentCodec, now: float, row: tuple[int, bytes, int, bytes]
) -> None:
    row_id, key, stored_bytes, data = row
    try:
        document = decode(codec, row_id, key, data)
    except CorruptRow as corrupt:
        step.corrupt.append(corrupt)
        return
    if document is not None and document.expires_at > now:
        step.found.append(EntryInfo.of(document, stored_bytes))


def index_rows(
    connection: sqlite3.Connection, *, start: int, fingerprint: str, now: float
) -> Step[IndexRow, int]:
    """Return the rows of the batch after id `start`."""
    (end,) = connection.execute(_BATCH_END, (start, _ROWS_AT_ONCE)).fetchone()
    step: Step[IndexRow, int] = Step(end)
    if end is not None:
        parameters = (start, end, fingerprint.encode(), now)
        for row in connection.execute(_INDEX_ROWS, parameters):
            _add(step, *row)
    return step


def index_rows_of(
    connection: sqlite3.Connection,
    *,
    keys: Sequence[bytes],
    start: int,
    fingerprint: str,
    now: float,
) -> Step[IndexRow, int]:
    """Return the live rows among `keys` from number `start` on."""
    end = start + _ROWS_AT_ONCE
    step: Step[IndexRow, int] = Step(end if end < len(keys) else None)
    for key in keys[start:end]:
        for row in connection.execute(_INDEX_ROW, (key, fingerprint.encode(), now)):
            _add(step, *row)
    return step


def _add(
    step: Step[IndexRow, int], row_id: int, key: bytes, expires_at: float, *columns: object
) -> None:
    try:
        embedding: Embedded | None = embedded(key, *columns)
    except CorruptDocument:
        step.corrupt.append(CorruptRow(row_id, key))
        return
    if embedding is not None:
        step.found.append(IndexRow(key, expires_at, embedding))
