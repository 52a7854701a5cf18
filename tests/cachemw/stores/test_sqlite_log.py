"""The change log of the SQLite store: what was done to documents, and never a wrong record."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cachemw.stores.base import ChangeBatch, ChangeKind, Document
from cachemw.stores.sqlite_log import ChangeWriter, changes, newest
from cachemw.stores.sqlite_schema import upgrade

Make = Callable[..., Document]


@pytest.fixture
def connection() -> Any:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.text_factory = bytes
        upgrade(opened)
        yield opened


def append(connection: sqlite3.Connection, count: int, kept: int = 100_000) -> list[str]:
    """Log changes; returns the cursors before and after each."""
    cursors = [newest(connection)]
    for number in range(count):
        ChangeWriter("a", kept).append(connection, ChangeKind.PUT, [bytes([number % 256])])
        cursors.append(newest(connection))
    return cursors


def lengths_of_complete(connection: sqlite3.Connection, cursors: list[str]) -> list[int | None]:
    batches = [changes(connection, cursor, 10_000) for cursor in cursors]
    return [len(batch.changes) if batch.complete else None for batch in batches]


def content(path: Path) -> bytes:
    return path.read_bytes()


def fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def replayed(store: Any, after: str) -> set[bytes]:
    """Return the keys that the log says are there."""
    batch = await store.changes(after, 100_000)
    assert batch.complete
    keys: set[bytes] = set()
    for change in batch.changes:
        if change.kind is ChangeKind.PUT:
            keys |= set(change.keys)
        else:
            keys -= set(change.keys)
    return keys


async def stored(store: Any) -> set[bytes]:
    return {entry.key async for batch in store.entries() for entry in batch}


async def test_evicted_documents_are_logged_as_removed(
    open_sqlite: Any, make_document: Make
) -> None:
    store = await open_sqlite(max_bytes=100_000)
    start = await store.newest()
    for number in range(600):
        await store.put(make_document(number))
    assert 10 < (await store.stats()).entries < 600
    assert await replayed(store, start) == await stored(store)


async def test_one_eviction_of_many_is_logged_whole(open_sqlite: Any, make_document: Make) -> None:
    store = await open_sqlite()
    start = await store.newest()
    for number in range(600):
        await store.put(make_document(number))
    await store.aclose()
    smaller = await open_sqlite(max_bytes=2000)
    await smaller.put(make_document(600))
    assert (await smaller.stats()).entries < 10
    assert await replayed(smaller, start) == await stored(smaller)


async def test_damaged_documents_are_logged_as_removed(
    open_sqlite: Any, make_document: Make, change_file: Any, corrupt: list[bytes]
) -> None:
    store = await open_sqlite()
    start = await store.newest()
    for number in range(4):
        await store.put(make_document(number))
    change_file("UPDATE documents SET document = x'01' WHERE id < 3")
    assert await store.get(make_document(0).key) is None
    assert await stored(store) == {make_document(2).key, make_document(3).key}
    assert corrupt == [make_document(0).key, make_document(1).key]
    assert await replayed(store, start) == await stored(store)


async def test_refused_document_is_not_logged(open_sqlite: Any, make_document: Make) -> None:
    store = await open_sqlite(max_bytes=2000)
    start = await store.newest()
    documents = [make_document(1), make_document(2, prompt="\ud800")]
    await asyncio.gather(*(store.put(d) for d in documents), return_exceptions=True)
    assert await replayed(store, start) == {make_document(1).key}


def count(connection: sqlite3.Connection) -> int:
    (records,) = connection.execute("SELECT COUNT(*) FROM changes").fetchone()
    return int(records)


def test_forgets_exactly_the_oldest(connection: sqlite3.Connection) -> None:
    cursors = append(connection, 30, kept=10)
    assert count(connection) == 10
    assert lengths_of_complete(connection, cursors) == [None] * 20 + list(range(10, -1, -1))


@pytest.mark.parametrize("kept", [1, 2, 63, 64, 128, 129, 1000, 5000])
def test_keeps_nearly_as_many_as_it_may(connection: sqlite3.Connection, kept: int) -> None:
    counts = []
    for _ in range(kept + 300):
        append(connection, 1, kept=kept)
        counts.append(count(connection))
    assert max(counts) == kept
    assert min(counts[kept:]) >= kept * 0.98 - 1


def test_forgetting_many_takes_several_turns(connection: sqlite3.Connection) -> None:
    append(connection, 3000)
    left = []
    for _ in range(4):
        append(connection, 1, kept=1)
        left.append(count(connection))
    assert left == [3001 - 1024, 3002 - 2048, 1, 1]


def test_numbers_go_on_after_compaction(connection: sqlite3.Connection) -> None:
    last = append(connection, 5, kept=1)[-1]
    assert count(connection) == 1
    assert lengths_of_complete(connection, append(connection, 2)) == [2, 1, 0]
    assert lengths_of_complete(connection, [last]) == [2]


async def test_cursor_of_a_newer_copy_of_the_file_is_incomplete(
    open_sqlite: Any, path: Path, make_document: Make
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    await store.aclose()
    backup = content(path)
    store = await open_sqlite()
    await store.put(make_document(2))
    cursor = await store.newest()
    await store.aclose()
    fill(path, backup)
    store = await open_sqlite()
    assert await store.changes(cursor, 10) == ChangeBatch((), await store.newest(), False)


def test_cursors_that_look_like_ours_are_incomplete(connection: sqlite3.Connection) -> None:
    cursor = append(connection, 3)[1]
    identity, _, number = cursor.partition(":")
    strange = [
        f"{identity}:-1",
        f"{identity}:4",
        f"{identity}:{10**18}",
        f"{identity}:{10**17}",
        f"{identity}:",
        f"{identity}:1 ",
        f"{identity}:\u0661",
        f"{identity.upper()}:{number}",
        f"{'0' * 32}:{number}",
        identity,
    ]
    assert lengths_of_complete(connection, strange) == [None] * len(strange)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE changes SET keys = 'text' WHERE sequence = 2",
        "UPDATE changes SET keys = 7 WHERE sequence = 2",
        "UPDATE changes SET keys = substr(keys, 1, 3) WHERE sequence = 2",
        "UPDATE changes SET keys = substr(keys, 1, 4) WHERE sequence = 2",
        "UPDATE changes SET kind = 3 WHERE sequence = 2",
        "UPDATE changes SET kind = x'00' WHERE sequence = 2",
        "UPDATE changes SET origin = 7 WHERE sequence = 2",
        "DELETE FROM changes WHERE sequence = 2",
        "UPDATE changes SET sequence = 9 WHERE sequence = 3",
        "DELETE FROM identity",
        "UPDATE identity SET id = 7",
        "UPDATE identity SET id = randomblob(16)",
    ],
)
def test_damage_is_a_gap(connection: sqlite3.Connection, damage: str) -> None:
    start = append(connection, 3)[0]
    connection.execute(damage)
    batch = changes(connection, start, 10)
    assert batch == ChangeBatch((), newest(connection), complete=False)


def test_keys_of_any_length_come_back(connection: sqlite3.Connection) -> None:
    start = newest(connection)
    keys = [b"", b"\x00" * 3, bytes(range(256)) * 300, b"k"]
    ChangeWriter("ünï", 10).append(connection, ChangeKind.REMOVE, keys)
    [change] = changes(connection, start, 1).changes
    assert (change.keys, change.origin) == (tuple(keys), "ünï")
