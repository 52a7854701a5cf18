"""Checkpoints are made beside the writes, and none of their failures is a write's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cachemw.stores.base import Document

Make = Callable[..., Document]


async def put_until_due(store: Any, make_document: Make) -> int:
    """Put documents until that has started a checkpoint; returns how many."""
    for number in range(10_000):
        await store.put(make_document(number, body=bytes(1000)))
        if store._checkpointer._running is not None:
            await store._checkpointer._running
            return number + 1
    pytest.fail("10 000 puts and no checkpoint")


def in_the_file_alone(path: Path, copy: Path) -> int:
    """Return how many documents are in the file, without its log."""
    copy.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM documents").fetchone()
    return int(count)


async def test_enough_writes_are_moved_into_the_file(
    open_sqlite: Any, path: Path, make_document: Make, tmp_path: Path
) -> None:
    store = await open_sqlite()
    count = await put_until_due(store, make_document)
    assert 50 < count < 500
    assert in_the_file_alone(path, tmp_path / "copy.sqlite3") == count


async def test_the_log_does_not_grow_with_what_is_written(
    open_sqlite: Any, path: Path, make_document: Make
) -> None:
    store = await open_sqlite()
    sizes = []
    for _ in range(5):
        await put_until_due(store, make_document)
        sizes.append(path.with_name(f"{path.name}-wal").stat().st_size)
    assert sizes[-1] < 2 * sizes[0]


async def test_a_reader_in_the_way_delays_and_breaks_nothing(
    open_sqlite: Any, path: Path, make_document: Make, tmp_path: Path
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT COUNT(*) FROM documents").fetchone()
        await put_until_due(store, make_document)
        other.execute("ROLLBACK")
    count = await put_until_due(store, make_document)
    entries = (await store.stats()).entries
    assert in_the_file_alone(path, tmp_path / "copy.sqlite3") == entries >= count


async def test_a_checkpoint_that_fails_is_no_writes_failure(
    open_sqlite: Any, make_document: Make
) -> None:
    store = await open_sqlite()
    await store._checkpointer.aclose(30.0)  # from now on, every one fails
    count = await put_until_due(store, make_document)
    await store.put(make_document(count))
    assert (await store.stats()).entries == count + 1


async def test_closing_waits_for_a_checkpoint(open_sqlite: Any, make_document: Make) -> None:
    store = await open_sqlite()
    puts = [store.put(make_document(n, body=bytes(1000))) for n in range(1000)]
    await asyncio.gather(*puts)
    await store.aclose()
    assert store._checkpointer._running is None
