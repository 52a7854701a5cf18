"""What the SQLite store does on a connection: each function is one step of a transaction.

All of them run in a thread of the store's and may raise `sqlite3.Error`.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document, Embedded, IndexRow, StoreStats
from cachemw.stores.codec import (
    CorruptDocument,
    DocumentCodec,
    EncodedDocument,
    OtherFormat,
    UnstorableDocument,
)

#: Rows per transaction of anything that touches many: other writers get their turn in between.
BATCH = 256
#: Oldest rows that one transaction may evict: more than it can insert, so eviction keeps up.
_EVICTED_AT_ONCE = 4 * BATCH
#: Bytes of a row besides its blobs: record header, key's index entry, expiry's index entry.
_ROW_OVERHEAD = 128

_INSERT = """
INSERT INTO documents (key, expires_at, raw_bytes, stored_bytes,
                       fingerprint, partition, vector, vector_crc, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
#: Ids rise with age: a replaced document gets a new one.
_OLDEST = "SELECT id, stored_bytes FROM documents ORDER BY id LIMIT ?"
_REMOVE_EXPIRED = """
DELETE FROM documents WHERE id IN (SELECT id FROM documents WHERE expires_at <= ? LIMIT ?)
"""
_GET = """
SELECT id, document, fingerprint, partition, vector, vector_crc
FROM documents WHERE key = ? AND expires_at > ?
"""
#: Where the next batch ends. It bounds the rows looked at, not the rows found: a fingerprint that
#: matches nothing must not hold the reader for the length of the whole file.
_BATCH_END = "SELECT MAX(id) FROM (SELECT id FROM documents WHERE id > ? ORDER BY id LIMIT ?)"
_INDEX_ROWS = """
SELECT id, key, expires_at, fingerprint, partition, vector, vector_crc FROM documents
WHERE id > ? AND id <= ? AND fingerprint = ? AND expires_at > ? ORDER BY id
"""


class CorruptRow(Exception):
    """Carries a damaged row from the reader's thread to the event loop."""

    def __init__(self, row_id: int, key: bytes) -> None:
        super().__init__(row_id)
        self.id = row_id
        self.key = key


def read(
    connection: sqlite3.Connection, codec: DocumentCodec, key: bytes, now: float
) -> Document | None:
    """Return the document under `key` unless it has expired; raises `CorruptRow`."""
    row = connection.execute(_GET, (key, now)).fetchone()
    if row is None:
        return None
    row_id, data, *embedding = row
    try:
        if not isinstance(data, bytes):
            raise CorruptRow(row_id, key)
        document = codec.decode(key, data, _embedded(key, *embedding))
    except OtherFormat:
        # Another version of cachemw may be using the file right now: leave its rows alone.
        # The answer that this miss leads to replaces them.
        return None
    except CorruptDocument as error:
        raise CorruptRow(row_id, key) from error
    # The column is only there to be searched; the document's own time is the checked one.
    return document if document.expires_at > now else None


def insert(
    connection: sqlite3.Connection, codec: DocumentCodec, document: Document, max_bytes: int
) -> None:
    """Insert or replace the document.

    Raises `StoreUnavailable` if it does not fit the format, or its row `max_bytes`.
    """
    try:
        encoded = codec.encode(document)
    except UnstorableDocument as error:
        raise StoreUnavailable(str(error)) from error
    row = _row(document, encoded)
    stored_bytes = row[3]
    if stored_bytes > max_bytes:
        msg = f"document of {stored_bytes} stored bytes, the store holds {max_bytes}"
        raise StoreUnavailable(msg)
    delete(connection, document.key)
    connection.execute(_INSERT, row)


def delete(connection: sqlite3.Connection, key: bytes) -> bool:
    """Remove the document under `key`; returns whether there was one."""
    return connection.execute("DELETE FROM documents WHERE key = ?", (key,)).rowcount > 0


def discard(connection: sqlite3.Connection, rows: Sequence[CorruptRow]) -> None:
    """Remove damaged rows, by their id: their keys may be what is damaged."""
    ids = [(row.id,) for row in rows]
    connection.executemany("DELETE FROM documents WHERE id = ?", ids)


def remove_expired(connection: sqlite3.Connection, now: float) -> int:
    """Remove up to `BATCH` documents that have expired; returns how many went."""
    return connection.execute(_REMOVE_EXPIRED, (now, BATCH)).rowcount


def evict(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Delete the oldest rows until the file is within its bound, or enough for one turn."""
    excess = totals(connection).stored_bytes - max_bytes
    if excess <= 0:
        return
    newest_evicted = 0
    for row_id, stored_bytes in connection.execute(_OLDEST, (_EVICTED_AT_ONCE,)):
        newest_evicted = row_id
        excess -= stored_bytes
        if excess <= 0:
            break
    connection.execute("DELETE FROM documents WHERE id <= ?", (newest_evicted,))


def totals(connection: sqlite3.Connection) -> StoreStats:
    """Return the size of the store, counting what has expired but is still there."""
    return StoreStats(
        *connection.execute("SELECT entries, raw_bytes, stored_bytes FROM totals").fetchone()
    )


def index_batch(
    connection: sqlite3.Connection, *, after: int, fingerprint: str, now: float
) -> tuple[list[IndexRow], list[CorruptRow], int | None]:
    """Return the rows of the batch after id `after`, the damaged ones, and the batch's last id.

    The last id is None when there is nothing beyond `after`.
    """
    (end,) = connection.execute(_BATCH_END, (after, BATCH)).fetchone()
    rows: list[IndexRow] = []
    corrupt: list[CorruptRow] = []
    if end is None:
        return rows, corrupt, None
    parameters = (after, end, fingerprint.encode(), now)
    for row_id, key, expires_at, *embedding in connection.execute(_INDEX_ROWS, parameters):
        try:
            embedded = _embedded(key, *embedding)
        except CorruptDocument:
            corrupt.append(CorruptRow(row_id, key))
            continue
        if embedded is not None:
            rows.append(IndexRow(key, expires_at, embedded))
    return rows, corrupt, end


def _row(document: Document, encoded: EncodedDocument) -> tuple[Any, ...]:
    """Return the parameters of `_INSERT`."""
    embedding: tuple[bytes | int | None, ...] = (None, None, None, None)
    embedded_bytes = 0
    if document.embedded is not None:
        fingerprint = document.embedded.fingerprint.encode()
        partition = document.embedded.partition
        vector = document.embedded.vector.astype("<f4").tobytes()
        crc = _embedding_crc(document.key, fingerprint, partition, vector)
        embedding = (fingerprint, partition, vector, crc)
        embedded_bytes = len(fingerprint) + len(partition) + len(vector)
    stored_bytes = len(document.key) + embedded_bytes + len(encoded.data) + _ROW_OVERHEAD
    sizes = (encoded.raw_bytes + embedded_bytes, stored_bytes)
    return (document.key, document.expires_at, *sizes, *embedding, encoded.data)


def _embedding_crc(key: bytes, fingerprint: bytes, partition: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(partition, zlib.crc32(fingerprint, zlib.crc32(key))))


def _embedded(
    key: bytes, fingerprint: object, partition: object, vector: object, crc: object
) -> Embedded | None:
    """Return the embedding kept in a row, if it has one; raises `CorruptDocument`."""
    if fingerprint is None:
        return None
    # SQLite types values, not columns: damage can turn a blob into anything.
    if not (
        isinstance(fingerprint, bytes)
        and isinstance(partition, bytes)
        and isinstance(vector, bytes)
        and crc == _embedding_crc(key, fingerprint, partition, vector)
    ):
        msg = "checksum mismatch in an embedding"
        raise CorruptDocument(msg)
    values = np.frombuffer(vector, "<f4").astype(np.float32, copy=False)
    return Embedded(partition, fingerprint.decode(), values)
