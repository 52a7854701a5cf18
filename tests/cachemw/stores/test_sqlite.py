"""What is particular to the SQLite store: the file, its limits, damage, and sudden death."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import cachemw
from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.base import Document, Embedded
from cachemw.stores.sqlite import SCHEMA_VERSION

Make = Callable[..., Document]
REPOSITORY = Path(cachemw.__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where `open_sqlite` puts its file."""
    return tmp_path / "cache" / "answers.sqlite3"


def change_file(path: Path, *statements: str) -> None:
    """Run statements on the file behind the store's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def content(path: Path) -> bytes:
    return path.read_bytes()


def fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


# The file.


async def test_file_and_directory_are_private(open_sqlite: Any, path: Path) -> None:
    await open_sqlite()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert {file.name.removeprefix(path.name) for file in files} == {"", "-wal", "-shm"}
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_documents_outlive_the_store(
    open_sqlite: Any, make_document: Make, make_embedded: Callable[..., Embedded], same: Any
) -> None:
    store = await open_sqlite()
    document = make_document(1, embedded=make_embedded(1))
    await store.put(document)
    before = await store.stats()
    await store.aclose()
    again = await open_sqlite()
    assert same(await again.get(document.key), document)
    assert await again.stats() == before
    assert [len(rows) async for rows in again.index_rows("minilm-1")] == [1]


async def test_other_schema_version_is_a_config_error(open_sqlite: Any, path: Path) -> None:
    await (await open_sqlite()).aclose()
    change_file(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ConfigError, match=rf"schema version {SCHEMA_VERSION + 1}.*move it away"):
        await open_sqlite()


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION])
async def test_database_of_another_program_is_left_alone(
    open_sqlite: Any, path: Path, version: int
) -> None:
    path.parent.mkdir()
    change_file(path, "CREATE TABLE precious (x)", f"PRAGMA user_version = {version}")
    before = content(path)
    with pytest.raises(ConfigError, match="not a store of cachemw"):
        await open_sqlite()
    assert content(path) == before


async def test_file_that_is_no_database_is_left_alone(open_sqlite: Any, path: Path) -> None:
    path.parent.mkdir()
    fill(path, b"dear diary " * 1000)
    with pytest.raises(ConfigError, match="move it away"):
        await open_sqlite()
    assert content(path) == b"dear diary " * 1000


async def test_path_that_cannot_be_opened_is_a_config_error(
    open_sqlite: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="cannot use"):
        await open_sqlite(path=tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot open"):
        await open_sqlite(path=tmp_path / "file" / "below" / "x.sqlite3")


async def test_threads_end_with_the_store(open_sqlite: Any, tmp_path: Path) -> None:
    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("cachemw-sqlite")]

    store = await open_sqlite()
    assert len(threads()) == 2
    await store.aclose()
    with pytest.raises(ConfigError):
        await open_sqlite(path=tmp_path)
    for thread in threading.enumerate():
        if thread.name.startswith("cachemw-sqlite"):
            thread.join(timeout=30)
    assert threads() == []


async def test_two_stores_share_a_file(open_sqlite: Any, make_document: Make, same: Any) -> None:
    one, two = await asyncio.gather(open_sqlite(), open_sqlite())
    await asyncio.gather(
        *(one.put(make_document(number)) for number in range(100)),
        *(two.put(make_document(number)) for number in range(50, 150)),
    )
    for number in range(150):
        assert same(await one.get(make_document(number).key), make_document(number))
    assert await one.stats() == await two.stats()
    assert (await one.stats()).entries == 150


# Limits.


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


async def test_lock_held_elsewhere_times_out_and_heals(
    open_sqlite: Any, path: Path, make_document: Make, same: Any
) -> None:
    store = await open_sqlite(write_timeout_s=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            await store.put(make_document(1))
        # Readers are not held up by a writer.
        assert await store.get(make_document(1).key) is None
        other.execute("ROLLBACK")
    for _ in range(1000):
        try:
            await store.put(make_document(2))
            break
        except StoreUnavailable:
            continue
    assert same(await store.get(make_document(2).key), make_document(2))


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


async def test_full_disk_is_unavailable_and_heals(
    open_sqlite: Any, make_document: Make, same: Any
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))

    async def set_max_pages(pages: int) -> None:
        # SQLITE_FULL, as a full disk raises it.
        await store._write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())

    await set_max_pages(1)
    body = b"".join((n * 2654435761 % 2**32).to_bytes(4, "big") for n in range(20_000))
    with pytest.raises(StoreUnavailable, match="full"):
        await store.put(make_document(2, body=body))
    assert same(await store.get(make_document(1).key), make_document(1))
    await set_max_pages(1 << 20)
    await store.put(make_document(2, body=body))
    assert (await store.stats()).entries == 2


# Damage.


async def test_damaged_document_is_a_miss_counted_and_deleted(
    open_sqlite: Any, path: Path, make_document: Make, corrupt: list[bytes], same: Any
) -> None:
    store = await open_sqlite()
    for number in range(5):
        await store.put(make_document(number))
    change_file(
        path,
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
    path: Path,
    make_document: Make,
    make_embedded: Callable[..., Embedded],
    corrupt: list[bytes],
) -> None:
    store = await open_sqlite()
    for number in range(4):
        await store.put(make_document(number, embedded=make_embedded(number)))
    change_file(
        path,
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
    open_sqlite: Any, path: Path, make_document: Make, corrupt: list[bytes]
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    change_file(path, "UPDATE documents SET document = x'01'")
    store._timeout_s = 1.0
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await store.get(make_document(1).key) is None
        other.execute("ROLLBACK")
    store._timeout_s = 30.0
    assert await store.get(make_document(1).key) is None
    assert corrupt == [make_document(1).key] * 2
    assert (await store.stats()).entries == 0


async def test_damage_is_never_quoted(open_sqlite: Any, path: Path, make_document: Make) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    change_file(path, "UPDATE documents SET document = CAST(x'736563726574ff' AS TEXT)")
    assert await store.get(make_document(1).key) is None


async def test_expiry_changed_in_the_file_does_not_revive(
    open_sqlite: Any, path: Path, make_document: Make, clock: Any
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1, expires_at=clock.now + 1))
    change_file(path, "UPDATE documents SET expires_at = 1e12")
    clock.now += 1
    assert await store.get(make_document(1).key) is None


async def test_document_of_another_dictionary_is_a_miss_left_for_its_owner(
    open_sqlite: Any, path: Path, make_document: Make, corrupt: list[bytes], same: Any
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    change_file(path, "UPDATE documents SET document = x'02' || substr(document, 2)")
    assert await store.get(make_document(1).key) is None
    assert corrupt == []
    assert (await store.stats()).entries == 1
    await store.put(make_document(1))
    assert same(await store.get(make_document(1).key), make_document(1))


async def test_damaged_pages_are_unavailable(
    open_sqlite: Any, path: Path, make_document: Make
) -> None:
    store = await open_sqlite()
    for number in range(200):
        await store.put(make_document(number))
    await store.aclose()
    pages = content(path)
    fill(path, pages[:4096] + b"\xa5" * (len(pages) - 4096))
    store = await open_sqlite()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await store.get(make_document(1).key)
        with pytest.raises(StoreUnavailable):
            await store.put(make_document(1))


# Sudden death.

#: Writes for ever, eight at a time, and prints a number after its `put` returned.
CHILD = """
import asyncio, random, sys, time
from pathlib import Path
import numpy as np
from cachemw.stores.base import Document, Embedded
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store

def document(number):
    rng = random.Random(number)
    body = rng.randbytes(rng.randrange(20_000))
    vector = np.full(384, number, np.float32)
    return Document(
        key=number.to_bytes(32, "big"), tenant="t", endpoint="e", model="m", created_at=0.0,
        expires_at=1e12, prompt=str(number), body=body, upstream_seconds=1.0,
        prompt_tokens=1, completion_tokens=1, embedded=Embedded(bytes(32), "f", vector))

async def write(store, number):
    while True:
        await store.put(document(number))
        print(number, flush=True)
        number += 8

async def main():
    settings = StoreSettings(path=Path(sys.argv[1]), write_timeout_s=60.0)
    store = make_store(settings, time.time, lambda key: None)
    await store.start()
    first = int(sys.argv[2])
    await asyncio.gather(*(write(store, first + n) for n in range(8)))

asyncio.run(main())
"""


def write_until_killed(path: Path, first: int, puts: int) -> list[int]:
    """Kill a writing process with SIGKILL; returns the numbers whose `put` had returned."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(first)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(puts)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    # The last line may have been cut: its number was not told.
    return [int(line) for line in lines if line.endswith(b"\n")]


async def check_after_death(
    open_sqlite: Callable[..., Any], path: Path, acknowledged: list[int], corrupt: list[bytes]
) -> None:
    namespace: dict[str, Any] = {}
    exec(CHILD.partition("async def write")[0], namespace)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = connection.execute("SELECT COUNT(*), IFNULL(SUM(stored_bytes), 0) FROM documents")
        kept = connection.execute("SELECT entries, stored_bytes FROM totals")
        assert counted.fetchone() == kept.fetchone()
        keys = [key for (key,) in connection.execute("SELECT key FROM documents")]
    assert {number.to_bytes(32, "big") for number in acknowledged} <= set(keys)
    store = await open_sqlite(path=path)
    # Rows that were committed but not acknowledged must be whole as well.
    for key in keys:
        found = await store.get(key)
        assert found is not None
        expected = namespace["document"](int.from_bytes(key, "big"))
        assert found.body == expected.body
        assert found.embedded.vector.tolist() == expected.embedded.vector.tolist()
    assert corrupt == []
    await store.aclose()


@pytest.mark.parametrize("bystander", [False, True], ids=["alone", "file open elsewhere"])
async def test_kill_9_loses_nothing_acknowledged(
    open_sqlite: Any, path: Path, corrupt: list[bytes], bystander: bool
) -> None:
    if bystander:  # the log is then not recovered by whoever opens the file next
        await open_sqlite(path=path)
    rounds = int(os.environ.get("CACHEMW_KILL_ROUNDS", "5"))
    acknowledged: list[int] = []
    for turn in range(rounds):
        # Various moments: in the first transaction, after one, in the middle of a checkpoint.
        acknowledged += write_until_killed(path, 1_000_000 * turn, puts=1 + 37 * (turn % 7))
        await check_after_death(open_sqlite, path, acknowledged, corrupt)
    assert len(acknowledged) >= rounds


#: Writes 40 times and ends.
SHARING_CHILD = CHILD.replace("while True:", "for _ in range(40):")


def write_at_the_same_time(path: Path, processes: int) -> int:
    """Run writers to their end; returns how many puts they told of."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SHARING_CHILD, str(path), str(1_000_000 * number)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        for number in range(processes)
    ]
    outputs = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0] * processes
    return sum(len(output.splitlines()) for output in outputs)


async def test_processes_share_a_file_from_its_creation(open_sqlite: Any, path: Path) -> None:
    told = write_at_the_same_time(path, processes=3)
    store = await open_sqlite(path=path)
    assert (await store.stats()).entries == told == 3 * 8 * 40
