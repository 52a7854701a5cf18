"""Threads of the SQLite store: what they accept they carry out, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.base import Document
from cachemw.stores.sqlite_thread import ConnectionThread, run_each

Make = Callable[..., Document]


class SlowConnection:
    """A `connect` that takes until `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.connections: list[sqlite3.Connection] = []

    def __call__(self) -> sqlite3.Connection:
        assert self.release.wait(60)
        self.connections.append(sqlite3.connect(":memory:", check_same_thread=False))
        return self.connections[0]

    def assert_closed(self) -> None:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            self.connections[0].execute("SELECT 1")


async def test_start_gives_up_on_a_stuck_connect() -> None:
    connect = SlowConnection()
    thread = ConnectionThread("slow", connect, run_each, batch=1, queue_limit=1)
    now = asyncio.get_running_loop().time
    with pytest.raises(StoreUnavailable, match="did not open in time"):
        await thread.start(now() + 0.01)
    with pytest.raises(StoreUnavailable, match="not open"):
        await thread.call(lambda _: None, now() + 60)
    connect.release.set()
    await thread.aclose(60)
    connect.assert_closed()


async def test_cancelled_start_leaves_no_thread() -> None:
    connect = SlowConnection()
    thread = ConnectionThread("slow", connect, run_each, batch=1, queue_limit=1)
    starting = asyncio.ensure_future(thread.start(asyncio.get_running_loop().time() + 60))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    connect.release.set()
    await thread.aclose(60)
    connect.assert_closed()


async def test_writer_ends_if_the_reader_cannot_start(
    open_sqlite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ConnectionThread.start

    async def start_writer(thread: ConnectionThread, deadline: float) -> None:
        if thread._name == "cachemw-sqlite-reader":
            raise StoreUnavailable("no")
        await start(thread, deadline)

    monkeypatch.setattr(ConnectionThread, "start", start_writer)
    with pytest.raises(StoreUnavailable, match="no"):
        await open_sqlite()
    for thread in threading.enumerate():
        if thread.name == "cachemw-sqlite-writer":
            thread.join(timeout=30)
            assert not thread.is_alive()


async def test_threads_end_with_the_store(open_sqlite: Any, tmp_path: Path) -> None:
    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("cachemw-sqlite")]

    store = await open_sqlite()
    assert len(threads()) == 3
    await store.aclose()
    with pytest.raises(ConfigError):
        await open_sqlite(path=tmp_path)
    for thread in threading.enumerate():
        if thread.name.startswith("cachemw-sqlite"):
            thread.join(timeout=30)
    assert threads() == []


async def test_closed_store_is_unavailable(open_sqlite: Any, make_document: Make) -> None:
    store = await open_sqlite()
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.get(b"key")
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.put(make_document(1))


async def test_close_carries_out_what_was_accepted(
    open_sqlite: Any, make_document: Make, same: Any
) -> None:
    store = await open_sqlite()
    puts = [asyncio.ensure_future(store.put(make_document(number))) for number in range(500)]
    await asyncio.sleep(0)
    await store.aclose()
    await asyncio.gather(*puts)
    again = await open_sqlite()
    assert (await again.stats()).entries == 500


async def test_full_queue_refuses_at_once(
    open_sqlite: Any, path: Path, make_document: Make
) -> None:
    store = await open_sqlite(queue_limit=3)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(store.put(make_document(n))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="3 operations with"):
            await store.put(make_document(4))
        other.execute("ROLLBACK")
    await asyncio.gather(*waiting)
    await store.put(make_document(4))


async def test_close_gives_up_on_a_stuck_thread(
    open_sqlite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_sqlite()
    release = threading.Event()
    far = asyncio.get_running_loop().time() + 60
    stuck = asyncio.ensure_future(store._writer.call(lambda _: release.wait(60), far))
    await asyncio.sleep(0)
    monkeypatch.setattr("cachemw.stores.sqlite._CLOSE_TIMEOUT_S", 0.01)
    with pytest.raises(StoreUnavailable, match="did not close"):
        await store.aclose()
    release.set()
    monkeypatch.undo()
    assert await stuck
    await store.aclose()


async def test_slow_read_times_out_and_heals(
    open_sqlite: Any, make_document: Make, same: Any
) -> None:
    store = await open_sqlite(timeout_s=0.01)
    await store.put(make_document(1))
    release = threading.Event()
    far = asyncio.get_running_loop().time() + 60
    stuck = asyncio.ensure_future(store._reader.call(lambda _: release.wait(60), far))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="too long"):
        await store.get(make_document(1).key)
    release.set()
    assert await stuck
    store._timeout_s = 30.0
    assert same(await store.get(make_document(1).key), make_document(1))


async def test_what_queues_up_shares_a_transaction(
    open_sqlite: Any, path: Path, make_document: Make
) -> None:
    store = await open_sqlite()
    run, batches = store._writer._run, []

    def counting(connection: sqlite3.Connection, jobs: list[Any]) -> None:
        batches.append(len(jobs))
        run(connection, jobs)

    store._writer._run = counting
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        puts = [asyncio.ensure_future(store.put(make_document(n))) for n in range(100)]
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
    await asyncio.gather(*puts)
    assert sum(batches) == 100
    assert len(batches) <= 3


async def test_large_documents_do_not_pile_up(
    open_sqlite: Any, path: Path, make_document: Make
) -> None:
    store = await open_sqlite()
    body = bytes(1 << 20)[:-1000]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(store.put(make_document(n, body=body))) for n in range(64)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="bytes wait for"):
            await store.put(make_document(64, body=body))
        other.execute("ROLLBACK")
    await asyncio.gather(*waiting)
    await store.put(make_document(64, body=body))
    assert (store._writer._pending, store._writer._pending_bytes) == (0, 0)


async def test_cancelled_callers_leave_the_store_working(
    open_sqlite: Any, make_document: Make, same: Any
) -> None:
    store = await open_sqlite()
    puts = [asyncio.ensure_future(store.put(make_document(number))) for number in range(100)]
    await asyncio.sleep(0)
    for put in puts[::2]:
        put.cancel()
    await asyncio.gather(*puts, return_exceptions=True)
    for number in range(1, 100, 2):
        assert same(await store.get(make_document(number).key), make_document(number))
    await store.put(make_document(100))
    assert (store._writer._pending, store._writer._pending_bytes) == (0, 0)
