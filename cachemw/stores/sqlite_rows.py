"""What the SQLite store does to rows: each function is one step of a transaction.

All of them run in a thread of the store's and may raise `sqlite3.Error`. `log` receives each change
in the transaction that makes it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import ChangeKind, Document, Embedded, StoreStats
from cachemw.stores.codec import (
    CorruptDocument,
    DocumentCodec,
    EncodedDocument,
    OtherFormat,
    UnstorableDocument,
)
from cachemw.stores.sqlite_log import ChangeWriter

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
_OLDEST = "SELECT id, key, stored_bytes FROM documents ORDER BY id LIMIT ?"
_DELETE = "DELETE FROM documents WHERE key = ?"
_REMOVE_EXPIRED = """
DELETE FROM documents WHERE id IN (SELECT id FROM documents WHERE expires_at <= ? LIMIT ?)
"""
_GET = """
SELECT id, document, fingerprint, partition, vector, vector_crc
FROM documents WHERE key = ? AND expires_at > ?
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
    document = decode(codec, row_id, key, data, *embedding)
    # The column is only there to be searched; the document's own time is the checked one.
    return document if document is not None and document.expires_at > now else None


def decode(
    codec: DocumentCodec, row_id: int, key: bytes, data: object, *embedding: object
) -> Document | None:
    """Return the document in a row; None if it is not ours to read. Raises `CorruptRow`.

    Without the four columns of the embedding the document comes without it.
    """
    try:
        if not isinstance(data, bytes):
            raise CorruptRow(row_id, key)
        return codec.decode(key, data, embedded(key, *embedding) if embedding else None)
    except OtherFormat:
        # Another version of cachemw may be using the file right now: leave its rows alone.
        # The answer that this miss leads to replaces them.
        return None
    except CorruptDocument as error:
        raise CorruptRow(row_id, key) from error


def insert(
    connection: sqlite3.Connection,
    codec: DocumentCodec,
    log: ChangeWriter,
    document: Document,
    max_bytes: int,
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
    connection.execute(_DELETE, (document.key,))
    connection.execute(_INSERT, row)
    log.append(connection, ChangeKind.PUT, [document.key])


def delete(connection: sqlite3.Connection, log: ChangeWriter, keys: Sequence[bytes]) -> int:
    """Remove the documents under `keys`, as one change; returns how many there were."""
    removed = connection.executemany(_DELETE, [(key,) for key in keys]).rowcount
    log.append(connection, ChangeKind.REMOVE, keys)
    return removed


def discard(connection: sqlite3.Connection, log: ChangeWriter, rows: Sequence[CorruptRow]) -> None:
    """Remove damaged rows, by their id: their keys may be what is damaged."""
    connection.executemany("DELETE FROM documents WHERE id = ?", [(row.id,) for row in rows])
    log.append(connection, ChangeKind.REMOVE, [row.key for row in rows])


def remove_expired(connection: sqlite3.Connection, now: float) -> int:
    """Remove up to `BATCH` documents that have expired; returns how many went."""
    return connection.execute(_REMOVE_EXPIRED, (now, BATCH)).rowcount


def evict(connection: sqlite3.Connection, log: ChangeWriter, max_bytes: int) -> None:
    """Delete the oldest rows until the file is within its bound, or enough for one turn."""
    excess = totals(connection).stored_bytes - max_bytes
    if excess <= 0:
        return
    newest_evicted, keys = 0, []
    for row_id, key, stored_bytes in connection.execute(_OLDEST, (_EVICTED_AT_ONCE,)):
        newest_evicted = row_id
        keys.append(key)
        excess -= stored_bytes
        if excess <= 0:
            break
    connection.execute("DELETE FROM documents WHERE id <= ?", (newest_evicted,))
    for start in range(0, len(keys), BATCH):
        log.append(connection, ChangeKind.REMOVE, keys[start : start + BATCH])


def totals(connection: sqlite3.Connection) -> StoreStats:
    """Return the size of the store, counting what has expired but is still there."""
    return StoreStats(
        *connection.execute("SELECT entries, raw_bytes, stored_bytes FROM totals").fetchone()
    )


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


def embedded(key: bytes, *columns: object) -> Embedded | None:
    """Return the embedding in the four columns of a row, if any; raises `CorruptDocument`."""
    fingerprint, partition, vector, crc = columns
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
