"""The file of the SQLite store: made private and whole, and never taken from another program."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.base import Document
from cachemw.stores.sqlite_file import open_file
from cachemw.stores.sqlite_schema import SCHEMA_VERSION

Make = Callable[..., Document]


def content(path: Path) -> bytes:
    return path.read_bytes()


def fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def test_file_and_directory_are_private(open_sqlite: Any, path: Path) -> None:
    await open_sqlite()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert {file.name.removeprefix(path.name) for file in files} == {"", "-wal", "-shm"}
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_other_schema_version_is_a_config_error(open_sqlite: Any, change_file: Any) -> None:
    await (await open_sqlite()).aclose()
    change_file(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ConfigError, match=rf"schema version {SCHEMA_VERSION + 1}.*move it away"):
        await open_sqlite()


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION])
async def test_database_of_another_program_is_left_alone(
    open_sqlite: Any, path: Path, change_file: Any, version: int
) -> None:
    path.parent.mkdir()
    change_file("CREATE TABLE precious (x)", f"PRAGMA user_version = {version}")
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


# An empty file.


def inode_and_mode(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mode


@pytest.fixture
def empty(path: Path) -> tuple[int, int]:
    """Put an empty file where the store's belongs, as mktemp or a volume would."""
    path.parent.mkdir()
    path.touch(mode=0o640)
    return inode_and_mode(path)


async def test_empty_file_is_filled_in_place(
    open_sqlite: Any, path: Path, empty: tuple[int, int], make_document: Make
) -> None:
    store = await open_sqlite()
    await store.put(make_document(1))
    await store.aclose()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert inode_and_mode(path) == empty
    again = await open_sqlite()
    assert await again.get(make_document(1).key) == make_document(1)


async def test_empty_file_is_filled_by_one_of_many(
    open_sqlite: Any, empty: tuple[int, int], make_document: Make
) -> None:
    stores = await asyncio.gather(*(open_sqlite() for _ in range(8)))
    await asyncio.gather(*(store.put(make_document(n)) for n, store in enumerate(stores)))
    assert [(await store.stats()).entries for store in stores] == [8] * 8


async def test_file_whose_creator_died_is_filled(
    open_sqlite: Any, empty: tuple[int, int], change_file: Any, make_document: Make
) -> None:
    change_file("PRAGMA journal_mode = WAL")
    store = await open_sqlite()
    await store.put(make_document(1))
    assert (await store.stats()).entries == 1


@pytest.mark.parametrize("existing", [False, True], ids=["absent", "empty"])
def test_new_file_has_a_log(path: Path, existing: bool) -> None:
    if existing:
        path.parent.mkdir()
        path.touch()
    with closing(open_file(path, open_timeout_s=30.0, busy_timeout_s=0.25)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
        assert connection.execute("PRAGMA locking_mode").fetchone() == (b"normal",)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (250,)


# A file that another process has locked.


@pytest.fixture
def lock_file(path: Path) -> Callable[[], sqlite3.Connection]:
    """Return a function that locks out everybody else until what it returns is closed."""

    def lock() -> sqlite3.Connection:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("UPDATE totals SET entries = entries")
        return other

    return lock


async def test_start_waits_longer_than_a_get(
    open_sqlite: Any, lock_file: Callable[[], sqlite3.Connection]
) -> None:
    await (await open_sqlite()).aclose()
    with closing(lock_file()):
        opening = asyncio.ensure_future(open_sqlite(timeout_s=0.01, write_timeout_s=0.01))
        await asyncio.sleep(0.2)
        assert not opening.done()
    await opening


async def test_start_has_a_limit(
    open_sqlite: Any,
    lock_file: Callable[[], sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await (await open_sqlite()).aclose()
    monkeypatch.setattr("cachemw.stores.sqlite._START_TIMEOUT_S", 0.05)
    with closing(lock_file()), pytest.raises(StoreUnavailable, match=r"in time|locked"):
        await open_sqlite()
    monkeypatch.undo()
    await open_sqlite()
