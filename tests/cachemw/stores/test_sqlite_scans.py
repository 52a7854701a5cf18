"""Reading many rows: in steps of bounded work, with damaged rows left out, and gets in between."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cachemw.stores import sqlite_scans
from cachemw.stores.base import Document, Embedded
from cachemw.stores.codec import DocumentCodec
from cachemw.stores.sqlite_scans import Step

Make = Callable[..., Document]
COUNT = 300


@pytest.fixture
async def filled(
    open_sqlite: Any, make_document: Make, make_embedded: Callable[..., Embedded]
) -> Any:
    store = await open_sqlite()
    for number in range(COUNT):
        await store.put(make_document(number, embedded=make_embedded(number)))
    return store


@pytest.fixture
def connection(filled: Any, path: Path) -> Any:
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.text_factory = bytes
        yield opened


def steps(read: Callable[[Any], Step[Any, Any]], start: Any) -> list[Step[Any, Any]]:
    done = []
    while start is not None:
        done.append(read(start))
        start = done[-1].position
    return done


def test_steps_are_bounded_where_nothing_is_wanted(
    connection: sqlite3.Connection, codec: DocumentCodec, clock: Any
) -> None:
    """All rows have expired, or have another fingerprint: the work is in looking at them."""
    long_ago, later = clock.now, clock.now + 1e9
    entries = steps(
        lambda start: sqlite_scans.entries(connection, codec=codec, start=start, now=later), b""
    )
    rows = steps(
        lambda start: sqlite_scans.index_rows(
            connection, start=start, fingerprint="other", now=long_ago
        ),
        0,
    )
    assert [step.found for step in entries + rows] == [[]] * (len(entries) + len(rows))
    assert len(entries) >= COUNT / 64
    assert len(rows) >= COUNT / 256


def test_steps_are_bounded_in_bytes(
    connection: sqlite3.Connection, codec: DocumentCodec, clock: Any, make_document: Make
) -> None:
    connection.execute("UPDATE documents SET stored_bytes = 200000")
    entries = steps(
        lambda start: sqlite_scans.entries(connection, codec=codec, start=start, now=clock.now), b""
    )
    assert {len(step.found) for step in entries} == {2, 0}
    assert sum(len(step.found) for step in entries) == COUNT


async def test_large_documents_come_a_few_at_a_time(
    open_sqlite: Any, path: Path, codec: DocumentCodec, make_document: Make, clock: Any
) -> None:
    store = await open_sqlite()
    for number in range(6):
        await store.put(make_document(number, body=bytes(200_000)))
    keys = [make_document(number).key for number in range(6)]
    with closing(sqlite3.connect(path)) as connection:
        found = steps(
            lambda start: sqlite_scans.documents(
                connection, codec=codec, keys=keys, start=start, now=clock.now
            ),
            0,
        )
    assert [len(step.found) for step in found] == [2, 2, 2]


def test_a_step_leaves_no_transaction_behind(
    connection: sqlite3.Connection, codec: DocumentCodec, clock: Any
) -> None:
    step = sqlite_scans.entries(connection, codec=codec, start=b"", now=clock.now)
    assert step.position is not None
    # Impossible while a statement is in the middle of its rows.
    connection.execute("DROP TABLE documents")


async def test_damaged_rows_are_left_out_reported_and_removed(
    filled: Any, change_file: Any, make_document: Make, corrupt: list[bytes]
) -> None:
    change_file(
        "UPDATE documents SET document = x'01' WHERE id = 1",
        "UPDATE documents SET document = 7 WHERE id = 2",
        "UPDATE documents SET vector = x'00' WHERE id IN (3, 4)",
    )
    keys = [make_document(number).key for number in range(COUNT)]
    assert [document.key for document in await filled.get_many(keys[:3])] == []
    assert corrupt == keys[:3]
    assert [row.key for row in await filled.rows_of(keys[:5], "minilm-1")] == [keys[4]]
    assert corrupt == keys[:4]
    assert (await filled.stats()).entries == COUNT - 4


async def test_document_of_another_dictionary_is_no_entry_and_stays(
    filled: Any, change_file: Any, corrupt: list[bytes]
) -> None:
    change_file("UPDATE documents SET document = x'02' || substr(document, 2) WHERE id < 11")
    assert sum([len(batch) async for batch in filled.entries()]) == COUNT - 10
    assert corrupt == []
    assert (await filled.stats()).entries == COUNT


async def test_gets_have_their_turn_in_a_scan(filled: Any, make_document: Make) -> None:
    scan = filled.entries()
    batches = [await anext(scan)]
    get = asyncio.ensure_future(filled.get(make_document(1).key))
    while not get.done():
        batches.append(await anext(scan))
    # Asked after the first batch, answered before the fourth.
    assert len(batches) <= 3
    assert len([batch async for batch in scan]) > 0
