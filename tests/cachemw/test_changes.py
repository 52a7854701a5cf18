"""Following the change log: whatever the order of events, all processes end with the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachemw.changes import ChangeFeed, Followed
from cachemw.errors import StoreUnavailable
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import ChangeBatch, Document, Embedded, IndexRow
from cachemw.stores.settings import StoreSettings
from cachemw.stores.sqlite import SqliteStore
from cachemw.stores.table import make_store
from tests.support.service import DIMENSION, unit

FINGERPRINT = "f" * 16
PARTITION = b"p" * 32


def document(number: int, version: int = 0) -> Document:
    return Document(
        key=b"%032d" % number,
        tenant="t",
        endpoint="chat.completions",
        model="m",
        created_at=time.time(),
        expires_at=time.time() + 3600,
        prompt="q",
        body=b'{"v":%d}' % version,
        upstream_seconds=1.0,
        prompt_tokens=1,
        completion_tokens=1,
        embedded=Embedded(PARTITION, FINGERPRINT, unit(number)),
    )


class Copies:
    """What the memory tier would hold."""

    def __init__(self) -> None:
        self.held: set[bytes] = set()

    def forget(self, keys: Iterable[bytes]) -> None:
        self.held -= set(keys)

    def forget_all(self) -> None:
        self.held.clear()


class Process:
    """One process: a store of its own on the shared file, an index, memory, a feed."""

    def __init__(self, path: Path, name: str, changes_kept: int) -> None:
        made = make_store(
            StoreSettings(
                path=path,
                origin=name,
                changes_kept=changes_kept,
                timeout_s=30.0,
                write_timeout_s=30.0,
            ),
            time.time,
            lambda _: None,
        )
        assert isinstance(made, SqliteStore)
        self.store = made
        self.copies = Copies()
        self.index = PartitionedIndex(DIMENSION, IndexSettings())
        self.metrics = Metrics()
        self.state = DependencyState("changes")
        self.feed = ChangeFeed(
            self.store, self.copies, self.state, self.metrics, origin=name, monotonic=time.monotonic
        )

    async def start(self, cursor: str = "") -> None:
        await self.store.start()
        await self.feed.attach(Followed(self.index, FINGERPRINT), cursor)
        await self.feed.catch_up()

    async def put(self, number: int, version: int = 0) -> None:
        """Keep an answer as keep.py does: memory, store, index."""
        doc = document(number, version)
        self.copies.held.add(doc.key)
        await self.store.put(doc)
        assert doc.embedded is not None
        await self.index.add(PARTITION, doc.key, doc.embedded.vector, doc.expires_at)

    def keys(self) -> set[bytes]:
        return {key for batch in self.index.keys() for key in batch}  # noqa: SIM118 - no dict

    @property
    def gaps(self) -> float:
        return self.metrics.registry.get_sample_value("cachemw_changes_gaps_total") or 0.0

    async def aclose(self) -> None:
        await self.index.aclose()
        await self.store.aclose()


@asynccontextmanager
async def processes(
    path: Path, *names: str, changes_kept: int = 1000
) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        made = [Process(path, name, changes_kept) for name in names]
        for process in made:
            await process.start()
            stack.push_async_callback(process.aclose)
        yield made


async def test_what_one_stores_the_other_finds(tmp_path: Path) -> None:
    async with processes(tmp_path / "a.sqlite3", "one", "two") as (one, two):
        await one.put(1)
        assert two.keys() == set()
        await two.feed.catch_up()
        assert two.keys() == {document(1).key}
        assert (one.gaps, two.gaps) == (0.0, 0.0)  # nothing was known before the first look


async def test_what_one_deletes_the_other_forgets(tmp_path: Path) -> None:
    async with processes(tmp_path / "a.sqlite3", "one", "two") as (one, two):
        await one.put(1)
        await two.feed.catch_up()
        two.copies.held.add(document(1).key)
        await one.store.delete(document(1).key)
        await two.feed.catch_up()
        assert (two.keys(), two.copies.held) == (set(), set())


async def test_what_one_replaces_the_other_asks_the_store_for(tmp_path: Path) -> None:
    async with processes(tmp_path / "a.sqlite3", "one", "two") as (one, two):
        await two.put(1)
        await one.put(1, version=2)
        await two.feed.catch_up()
        assert two.copies.held == set()
        assert two.keys() == {document(1).key}


async def test_ones_own_answers_stay_in_memory_and_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes(tmp_path / "a.sqlite3", "one") as (one,):
        await one.put(1)

        async def none(*_: object) -> list[IndexRow]:
            raise AssertionError

        monkeypatch.setattr(one.store, "rows_of", none)
        await one.feed.catch_up()
        assert one.copies.held == one.keys() == {document(1).key}


async def test_put_after_anothers_delete_is_there_though_the_delete_is_heard_of_later(
    tmp_path: Path,
) -> None:
    async with processes(tmp_path / "a.sqlite3", "one", "two") as (one, two):
        await one.put(1)
        await two.store.delete(document(1).key)
        await one.put(1, version=2)
        await one.feed.catch_up()
        assert one.keys() == {document(1).key}


async def test_a_pause_is_caught_up_with_from_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More changes than one batch, no walk over the store."""
    async with processes(tmp_path / "a.sqlite3", "one", "two", changes_kept=5000) as (one, two):

        def walk(_: str) -> AsyncIterator[list[IndexRow]]:
            raise AssertionError

        monkeypatch.setattr(two.store, "index_rows", walk)
        for number in range(700):
            await one.store.put(document(number))
        await one.store.delete_many([document(number).key for number in range(0, 700, 7)])
        await two.feed.catch_up()
        assert two.keys() == {document(n).key for n in range(700) if n % 7}


async def test_a_restart_goes_on_from_its_cursor(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    async with processes(path, "one", "two") as (one, two):
        await one.put(1)
        await two.feed.catch_up()
        cursor = two.feed.cursor
        await one.put(2)
        again = Process(path, "three", 1000)
        await again.start(cursor)
        assert (again.keys(), again.gaps) == ({document(2).key}, 0.0)
        await again.aclose()


async def test_what_the_log_has_forgotten_is_found_by_comparing(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    async with processes(path, "one", "two", changes_kept=50) as (one, two):
        for number in range(10):
            await one.put(number)
        await two.feed.catch_up()
        two.copies.held = {document(3).key}
        await one.store.delete(document(3).key)
        for number in range(10, 200):
            await one.store.put(document(number))
        await two.feed.catch_up()
        assert two.gaps == 1.0
        assert two.keys() == {document(n).key for n in range(200) if n != 3}
        assert two.copies.held == set()


async def test_a_bad_vector_does_not_cost_the_others(tmp_path: Path) -> None:
    async with processes(tmp_path / "a.sqlite3", "one", "two") as (one, two):
        bad = document(1)
        await one.store.put(
            replace(bad, embedded=Embedded(PARTITION, FINGERPRINT, unit(1)[: DIMENSION // 2]))
        )
        await one.put(2)
        await two.feed.catch_up()
        assert two.keys() == {document(2).key}


class Away:
    """A store that is away for the first three looks."""

    def __init__(self, store: SqliteStore) -> None:
        self.looks = 0
        self._store = store

    async def changes(self, after: str, limit: int) -> ChangeBatch:
        self.looks += 1
        if self.looks <= 3:
            raise (StoreUnavailable("away"), ValueError("unforeseen"))[self.looks % 2]
        return await self._store.changes(after, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_the_feed_outlives_a_store_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes(tmp_path / "a.sqlite3", "one", "two") as (one, two):
        store = Away(two.store)
        two.feed._store = store  # type: ignore[assignment]
        await one.put(1)
        task = asyncio.create_task(two.feed.run(0.001))
        while not two.keys():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
        task.cancel()
        assert two.state.is_up
        lines = [record.message for record in caplog.records if record.name == "cachemw.state"]
        assert lines == ["dependency failed", "dependency is back"]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), kept=st.sampled_from([3, 20, 1000]))
async def test_all_processes_end_with_what_the_store_holds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, kept: int
) -> None:
    """Three processes put, delete and look at the log in any order, a short log included."""
    rng = Random(seed)
    path = tmp_path_factory.mktemp("shared") / "a.sqlite3"
    async with processes(path, "one", "two", "three", changes_kept=kept) as made:
        for step in range(60):
            process = rng.choice(made)
            number = rng.randrange(8)
            match rng.randrange(4):
                case 0 | 1:
                    await process.put(number, step)
                case 2:
                    await process.store.delete(document(number).key)
                    process.copies.forget([document(number).key])
                case 3:
                    await process.feed.catch_up()
        stored = {info.key async for batch in made[0].store.entries() for info in batch}
        for process in made:
            await process.feed.catch_up()
            assert process.keys() == stored
            for key in process.copies.held:
                assert key in stored
