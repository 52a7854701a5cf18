"""The schema of the SQLite store, as steps from each version of it to the next.

A new file takes all steps, an older one those it lacks, so both come out the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: Marks the file as ours in `PRAGMA application_id`: "camw".
APPLICATION_ID = 0x63616D77

#: Totals are kept by triggers: they are exact across processes and cost one row per change, where
#: COUNT and SUM would read the whole file.
_DOCUMENTS = (
    """CREATE TABLE documents (
        id           INTEGER PRIMARY KEY,
        key          BLOB NOT NULL UNIQUE,
        expires_at   REAL NOT NULL,
        raw_bytes    INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        fingerprint  BLOB,
        partition    BLOB,
        vector       BLOB,
        vector_crc   INTEGER,
        document     BLOB NOT NULL
    )""",
    "CREATE INDEX documents_expires_at ON documents (expires_at)",
    """CREATE TABLE totals (
        entries      INTEGER NOT NULL,
        raw_bytes    INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL
    )""",
    "INSERT INTO totals VALUES (0, 0, 0)",
    """CREATE TRIGGER documents_inserted AFTER INSERT ON documents BEGIN
        UPDATE totals SET entries = entries + 1, raw_bytes = raw_bytes + new.raw_bytes,
                          stored_bytes = stored_bytes + new.stored_bytes;
    END""",
    """CREATE TRIGGER documents_deleted AFTER DELETE ON documents BEGIN
        UPDATE totals SET entries = entries - 1, raw_bytes = raw_bytes - old.raw_bytes,
                          stored_bytes = stored_bytes - old.stored_bytes;
    END""",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

#: The change log, and what tells the cursors of this file from those of another one. The newest
#: change is never forgotten, so a plain row id counts on without gaps, at less than AUTOINCREMENT.
_CHANGES = (
    """CREATE TABLE changes (
        sequence INTEGER PRIMARY KEY,
        kind     INTEGER NOT NULL,
        origin   BLOB NOT NULL,
        keys     BLOB NOT NULL
    )""",
    "CREATE TABLE identity (id BLOB NOT NULL)",
    "INSERT INTO identity VALUES (randomblob(16))",
)

#: Labels, and hits that can still be judged (see `sqlite_evidence`). Of labels, too, the newest is
#: never forgotten.
_EVIDENCE = (
    """CREATE TABLE labels (
        sequence INTEGER PRIMARY KEY,
        batch    BLOB NOT NULL,
        label    BLOB NOT NULL
    )""",
    "CREATE INDEX labels_batch ON labels (batch)",
    """CREATE TABLE served (
        id  INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        at  REAL NOT NULL,
        hit BLOB NOT NULL
    )""",
)

#: What turns version n into version n + 1.
_STEPS: Mapping[int, tuple[str, ...]] = MappingProxyType({0: _DOCUMENTS, 1: _CHANGES, 2: _EVIDENCE})

#: Kept in `PRAGMA user_version`.
SCHEMA_VERSION = len(_STEPS)


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, within the transaction that the caller has begun."""
    for version in range(pragma(connection, "user_version"), SCHEMA_VERSION):
        for statement in _STEPS[version]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    """Return the value of a pragma."""
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return value
