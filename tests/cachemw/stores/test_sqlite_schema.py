"""Files of every earlier schema version are brought up to date in place."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cachemw_policies.labels import Label, Source

import cachemw
from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Change, ChangeKind, Document, Embedded
from cachemw.stores.codec import DocumentCodec
from cachemw.stores.evidence import EvidenceBounds
from cachemw.stores.sqlite_rows import _INSERT, _row
from cachemw.stores.sqlite_schema import SCHEMA_VERSION

Make = Callable[..., Document]
REPOSITORY = Path(cachemw.__file__).parents[1]

#: As the release wrote it that had version 1. Never to be changed.
VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE documents (
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
);
CREATE INDEX documents_expires_at ON documents (expires_at);
CREATE TABLE totals (
    entries      INTEGER NOT NULL,
    raw_bytes    INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL
);
INSERT INTO totals VALUES (0, 0, 0);
CREATE TRIGGER documents_inserted AFTER INSERT ON documents BEGIN
    UPDATE totals SET entries = entries + 1, raw_bytes = raw_bytes + new.raw_bytes,
                      stored_bytes = stored_bytes + new.stored_bytes;
END;
CREATE TRIGGER documents_deleted AFTER DELETE ON documents BEGIN
    UPDATE totals SET entries = entries - 1, raw_bytes = raw_bytes - old.raw_bytes,
                      stored_bytes = stored_bytes - old.stored_bytes;
END;
PRAGMA application_id = 1667329399;
PRAGMA user_version = 1;
"""

#: What the release added that had version 2. Never to be changed.
VERSION_2 = """
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY,
    kind     INTEGER NOT NULL,
    origin   BLOB NOT NULL,
    keys     BLOB NOT NULL
);
CREATE TABLE identity (id BLOB NOT NULL);
INSERT INTO identity VALUES (randomblob(16));
INSERT INTO changes VALUES (7, 2, x'6f6c64', x'020000006b31');
PRAGMA user_version = 2;
"""


@pytest.fixture
def documents(make_document: Make, make_embedded: Callable[..., Embedded]) -> list[Document]:
    return [make_document(number, embedded=make_embedded(number)) for number in range(20)]


@pytest.fixture
def version_1(path: Path, codec: DocumentCodec, documents: list[Document]) -> Path:
    """Write a file of version 1 that holds `documents`."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(VERSION_1)
        for document in documents:
            connection.execute(_INSERT, _row(document, codec.encode(document)))
    return path


@pytest.fixture
def version_2(version_1: Path) -> Path:
    """Write a file of version 2 that holds `documents` and one change, of number 7."""
    with closing(sqlite3.connect(version_1, isolation_level=None)) as connection:
        connection.executescript(VERSION_2)
    return version_1


def user_version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


async def test_version_1_is_brought_up_to_date(
    open_sqlite: Any, version_1: Path, documents: list[Document], make_document: Make
) -> None:
    store = await open_sqlite(origin="new")
    assert user_version(version_1) == SCHEMA_VERSION
    assert await store.get_many([document.key for document in documents]) == documents
    assert (await store.stats()).entries == len(documents)
    rows = [row.key async for batch in store.index_rows("minilm-1") for row in batch]
    assert rows == [document.key for document in documents]
    start = await store.newest()
    await store.put(make_document(99))
    batch = await store.changes(start, 10)
    assert batch.changes == (Change(ChangeKind.PUT, (make_document(99).key,), "new"),)


async def test_version_2_keeps_its_log_and_gets_evidence(
    open_sqlite: Any, version_2: Path, documents: list[Document], make_document: Make
) -> None:
    with closing(sqlite3.connect(version_2)) as connection:
        (identity,) = connection.execute("SELECT lower(hex(id)) FROM identity").fetchone()
    store = await open_sqlite(origin="new")
    assert user_version(version_2) == SCHEMA_VERSION
    assert await store.get_many([document.key for document in documents]) == documents
    await store.put(make_document(99))
    batch = await store.changes(f"{identity}:6", 10)
    assert batch.complete
    assert batch.changes == (
        Change(ChangeKind.REMOVE, (b"k1",), "old"),
        Change(ChangeKind.PUT, (make_document(99).key,), "new"),
    )
    evidence = store.evidence(EvidenceBounds())
    label = Label("faq", 0.5, True, Source.SHADOW, "verifier-1", 1.0)
    await evidence.append([label], b"a")
    assert (await evidence.labels("", 10)).labels == (label,)


def schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            (name, " ".join(sql.split()))
            for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql > 0")
        ]


async def test_old_and_new_files_come_out_the_same(
    open_sqlite: Any, version_1: Path, tmp_path: Path
) -> None:
    await open_sqlite()
    fresh = tmp_path / "fresh.sqlite3"
    await open_sqlite(path=fresh)
    assert schema(version_1) == schema(fresh)
    assert len(schema(fresh)) > 5


async def test_files_of_version_2_come_out_the_same(
    open_sqlite: Any, version_2: Path, tmp_path: Path
) -> None:
    await open_sqlite()
    fresh = tmp_path / "fresh.sqlite3"
    await open_sqlite(path=fresh)
    assert schema(version_2) == schema(fresh)
    assert {name for name, _ in schema(fresh)} >= {"labels", "labels_batch", "served"}


async def test_each_file_has_an_identity(open_sqlite: Any, tmp_path: Path) -> None:
    stores = [await open_sqlite(path=tmp_path / f"{n}.sqlite3") for n in range(2)]
    one, other = [await store.newest() for store in stores]
    assert one != other
    assert not (await stores[0].changes(other, 10)).complete


async def test_one_of_many_brings_the_file_up_to_date(
    open_sqlite: Any, version_1: Path, documents: list[Document], make_document: Make
) -> None:
    stores = await asyncio.gather(*(open_sqlite(origin=str(n)) for n in range(8)))
    cursors = {await store.newest() for store in stores}
    assert len(cursors) == 1
    await asyncio.gather(*(store.put(make_document(100 + n)) for n, store in enumerate(stores)))
    batch = await stores[0].changes(cursors.pop(), 100)
    assert sorted(change.origin for change in batch.changes) == [str(n) for n in range(8)]
    assert (await stores[0].stats()).entries == len(documents) + 8


#: Upgrades, and is stopped before it commits.
UPGRADING_CHILD = """
import sqlite3, sys, time
from cachemw.stores.sqlite_schema import upgrade
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
connection.execute("BEGIN IMMEDIATE")
upgrade(connection)
print("upgraded", flush=True)
time.sleep(600)
"""


def upgrade_until_killed(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", UPGRADING_CHILD, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"upgraded\n"
        child.send_signal(signal.SIGKILL)


async def test_kill_9_in_an_upgrade_changes_nothing(
    open_sqlite: Any, version_1: Path, documents: list[Document]
) -> None:
    upgrade_until_killed(version_1)
    assert user_version(version_1) == 1
    store = await open_sqlite()
    assert user_version(version_1) == SCHEMA_VERSION
    assert await store.get_many([document.key for document in documents]) == documents


async def test_kill_9_in_an_upgrade_of_version_2_changes_nothing(
    open_sqlite: Any, version_2: Path, documents: list[Document]
) -> None:
    upgrade_until_killed(version_2)
    assert user_version(version_2) == 2
    store = await open_sqlite()
    assert user_version(version_2) == SCHEMA_VERSION
    assert await store.get_many([document.key for document in documents]) == documents


async def test_an_upgrade_that_fails_leaves_the_file_as_it_was(
    open_sqlite: Any, version_1: Path, documents: list[Document], change_file: Any
) -> None:
    change_file("CREATE TABLE identity (stands_in_the_way)")
    with pytest.raises(StoreUnavailable, match="identity already exists"):
        await open_sqlite()
    assert user_version(version_1) == 1
    change_file("DROP TABLE identity")
    store = await open_sqlite()
    assert (await store.stats()).entries == len(documents)
