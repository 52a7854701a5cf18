"""Labels and served hits in the SQLite file, written by the store's one writing thread.

A batch is one job of that thread, so that it is committed together with the documents that queue up
beside it: no commit more than without it (see `sqlite`). Labels are numbered without gaps by row
id, as the newest is never removed; a cursor is the identity of the file and the number of the last
record seen.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from cachemw_policies.labels import Label

from cachemw.stores.evidence import Evidence, EvidenceBounds, LabelBatch, Served
from cachemw.stores.evidence_rows import (
    CorruptEvidence,
    OtherVersion,
    decode_labels,
    decode_served,
    encode_label,
    encode_served,
    served_key,
)

#: Hits in one job, 2 ms: documents get their turn in between.
_ROWS = 64
#: Rows that one job removes at most: more than it adds, so that removing keeps up.
_REMOVED_AT_ONCE = 1024

_CURSOR = re.compile(r"([0-9a-f]{32}):([0-9]{1,18})", re.ASCII)

_IDENTITY = "SELECT lower(hex(MAX(id))) FROM identity"
_KNOWN_BATCH = "SELECT 1 FROM labels WHERE batch = ? LIMIT 1"
_APPEND = "INSERT INTO labels (batch, label) VALUES (?, ?)"
_TRIM_LABELS = """
DELETE FROM labels WHERE sequence <= (SELECT MAX(sequence) FROM labels) - ?
                     AND sequence < (SELECT MIN(sequence) FROM labels) + ?
"""
_NEWEST = "SELECT IFNULL(MAX(sequence), 0) FROM labels"
_LABELS = "SELECT sequence, label FROM labels WHERE sequence > ? ORDER BY sequence LIMIT ?"

#: Ids rise with age, and nearly so does `at`: the oldest rows are looked at, not an index of times.
_REMEMBER = "REPLACE INTO served (key, at, hit) VALUES (?, ?, ?)"
_TRIM_SERVED = """
DELETE FROM served WHERE id < (SELECT MIN(id) FROM served) + ?
                     AND (id <= (SELECT MAX(id) FROM served) - ? OR at <= ?)
"""
_FIND = "SELECT hit FROM served WHERE key = ?"
_FORGET = "DELETE FROM served WHERE key = ?"

_T = TypeVar("_T")


class Read(Protocol):
    """Has work done on the store's reading connection."""

    async def __call__(self, work: Callable[[sqlite3.Connection], _T], /) -> _T:
        """Return what `work` returns."""


class Write(Protocol):
    """Has work done within a transaction; `size` is the bytes that it carries."""

    async def __call__(self, work: Callable[[sqlite3.Connection], _T], size: int = 0, /) -> _T:
        """Return what `work` returns, once that is committed."""


class SqliteEvidence(Evidence):
    """Evidence in the store's file. `clock` returns Unix seconds."""

    def __init__(
        self, read: Read, write: Write, clock: Callable[[], float], bounds: EvidenceBounds
    ) -> None:
        self._read = read
        self._write = write
        self._clock = clock
        self._bounds = bounds

    async def append(self, labels: Sequence[Label], batch: bytes) -> None:
        """Write labels, in one transaction however many they are."""
        rows = [(batch, encode_label(label)) for label in labels]
        size = sum(len(row) for _, row in rows)
        await self._write(partial(_append, rows=rows, kept=self._bounds.labels), size)

    async def labels(self, after: str, limit: int) -> LabelBatch:
        """Return what is among up to `limit` records after the cursor."""
        rows, cursor, anew = await self._read(partial(_after, cursor=after, limit=limit))
        found, damaged = decode_labels(rows)
        self.damaged += damaged
        return LabelBatch(found, cursor, anew)

    async def remember(self, served: Sequence[Served]) -> None:
        """Note hits, some in a transaction."""
        for start in range(0, len(served), _ROWS):
            rows = [
                (served_key(hit.answer_id, hit.tenant), hit.at, encode_served(hit))
                for hit in served[start : start + _ROWS]
            ]
            ended = self._clock() - self._bounds.seconds
            work = partial(_remember, rows=rows, kept=self._bounds.served, ended=ended)
            await self._write(work, sum(len(row) for *_, row in rows))

    async def take(self, answer_id: str, tenant: str) -> Served | None:
        """Return and forget a hit: transactions of all processes come one after the other."""
        data = await self._write(partial(_take, key=served_key(answer_id, tenant)))
        if data is None:
            return None
        try:
            hit = decode_served(data)
        except CorruptEvidence:
            self.damaged += 1
            return None
        except OtherVersion:
            return None
        return hit if hit.at > self._clock() - self._bounds.seconds else None


# What follows runs in a thread of the store's.


def _append(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes]], kept: int) -> None:
    if not rows or connection.execute(_KNOWN_BATCH, rows[0][:1]).fetchone():
        return
    connection.executemany(_APPEND, rows)
    connection.execute(_TRIM_LABELS, (kept, _REMOVED_AT_ONCE + len(rows)))


def _after(
    connection: sqlite3.Connection, cursor: str, limit: int
) -> tuple[list[object], str, bool]:
    """Return the records after a cursor, the cursor to go on from, and whether it begins anew."""
    (name,) = connection.execute(_IDENTITY).fetchone()
    identity = str(name, "ascii")
    match = _CURSOR.fullmatch(cursor)
    start = int(match[2]) if match is not None and match[1] == identity else None
    if start is not None:
        (newest,) = connection.execute(_NEWEST).fetchone()
        if start > newest:  # the file has never come that far: it is an older copy
            start = None
    found = connection.execute(_LABELS, (start or 0, limit)).fetchall()
    last = found[-1][0] if found else start or 0
    return [row for _, row in found], f"{identity}:{last}", start is None and cursor != ""


def _remember(
    connection: sqlite3.Connection,
    rows: Sequence[tuple[bytes, float, bytes]],
    kept: int,
    ended: float,
) -> None:
    connection.executemany(_REMEMBER, rows)
    connection.execute(_TRIM_SERVED, (_REMOVED_AT_ONCE, kept, ended))


def _take(connection: sqlite3.Connection, key: bytes) -> object:
    row = connection.execute(_FIND, (key,)).fetchone()
    if row is None:
        return None
    connection.execute(_FORGET, (key,))
    return row[0]
