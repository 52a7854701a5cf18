"""Rows of the SQLite store: damaged ones are absent, and one that does not fit fails alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document, Embedded

Make = Callable[..., Document]


async def test_damaged_document_is_a_miss_counted_and_deleted(
    open_sqlite: Any, change_file: Any, make_document: Make, corrupt: list[bytes], same: Any
) -> None:
    store = await open_sqlite()
    for number in range(5):
        await store.put(make_document(number))
    change_file(
        "UPDATE documents SET document = substr(document, 1, 40) WHERE id = 1",
        "UPDATE documents SET document = 7 WHERE id = 2",
        "UPDATE documents SET document = (SELECT document FROM documents WHERE id = 5)"
        " WHERE id = 3",
    )
    for number in range(3):
        assert await store.get(make_document(number).key) is None
    assert corrupt == [make_document(number).key for number in range(3)]
    assert (await store.stats()).entries == 2
    for number in (3, 4):
        assert same(await store.get(make_document(number).key), make_document(number))


async def test_damaged_embedding_is_a_miss_and_not_indexed(
    open_sqlite: Any,
    change_file: Any,
    make_document: Make,
    make_embedded: Callable[..., Embedded],
    corrupt: list[bytes],
) -> None:
    store = await open_sqlite()
    for number in range(4):
        await store.put(make_document(number, embedded=make_embedded(number)))
    change_file(
        "UPDATE documents SET vector = zeroblob(length(vector)) WHERE id = 1",
        "UPDATE documents SET vector = 'text' WHERE id = 2",
        "UPDATE documents SET partition = NULL WHERE id = 3",
    )
    assert await store.get(make_document(0).key) is None
    rows = [row async for batch in store.index_rows("minilm-1") for row in batch]
    assert [row.key for row in rows] == [make_document(3).key]
    assert sorted(corrupt) == [make_document(number).key for number in range(3)]
    assert (await store.stats()).entries == 1


async def test_damaged_row_is_a_miss_even_if_it_cannot_be_deleted(
    open_sqlite: Any, path: Path, change_file: Any, make_document: Make, corrupt: list[bytes]
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    change_file("UPDATE documents SET document = x'01'")
    store._timeout_s = 1.0
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await store.get(make_document(1).key) is None
        other.execute("ROLLBACK")
    store._timeout_s = 30.0
    assert await store.get(make_document(1).key) is None
    assert corrupt == [make_document(1).key] * 2
    assert (await store.stats()).entries == 0


async def test_damage_is_never_quoted(
    open_sqlite: Any, change_file: Any, make_document: Make
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    change_file("UPDATE documents SET document = CAST(x'736563726574ff' AS TEXT)")
    assert await store.get(make_document(1).key) is None


async def test_expiry_changed_in_the_file_does_not_revive(
    open_sqlite: Any, change_file: Any, make_document: Make, clock: Any
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1, expires_at=clock.now + 1))
    change_file("UPDATE documents SET expires_at = 1e12")
    clock.now += 1
    assert await store.get(make_document(1).key) is None


async def test_document_of_another_dictionary_is_a_miss_left_for_its_owner(
    open_sqlite: Any, change_file: Any, make_document: Make, corrupt: list[bytes], same: Any
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    change_file("UPDATE documents SET document = x'02' || substr(document, 2)")
    assert await store.get(make_document(1).key) is None
    assert corrupt == []
    assert (await store.stats()).entries == 1
    await store.put(make_document(1))
    assert same(await store.get(make_document(1).key), make_document(1))


async def test_unstorable_document_fails_alone(
    open_sqlite: Any, make_document: Make, same: Any
) -> None:
    store = await open_sqlite()
    good = [make_document(number) for number in range(10)]
    bad = [make_document(10, prompt="\ud800"), make_document(11, expires_at=float("nan"))]
    outcomes = await asyncio.gather(
        *(store.put(document) for document in [*good[:5], *bad, *good[5:]]),
        return_exceptions=True,
    )
    assert [type(o) for o in outcomes if o is not None] == [StoreUnavailable] * 2
    for document in good:
        assert same(await store.get(document.key), document)
