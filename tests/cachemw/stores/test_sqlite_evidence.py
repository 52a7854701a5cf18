"""Evidence in the SQLite file: exact bounds, damage, copies, and what it costs the writer."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cachemw_policies.labels import Label, Source

from cachemw.errors import StoreUnavailable
from cachemw.stores.evidence import EvidenceBounds, LabelBatch, Served
from cachemw.stores.sqlite_evidence import SqliteEvidence

Open = Callable[..., Any]

NOW = 1_795_000_000.0


def labels(count: int, start: int = 0) -> list[Label]:
    return [
        Label("faq", 0.5, True, Source.SHADOW, "verifier-1", float(number))
        for number in range(start, start + count)
    ]


def hit(number: int, at: float = NOW) -> Served:
    return Served(str(number), b"k", "tenant", "faq", 0.5, "verifier-1", at)


async def rows(store: Any, table: str) -> int:
    counted: int = await store._read(
        lambda connection: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    )
    return counted


async def read(evidence: Any) -> list[Label]:
    batch: LabelBatch = await evidence.labels("", 100_000)
    return list(batch.labels)


async def test_exactly_the_newest_labels_are_kept(open_sqlite: Open) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds(labels=100))
    for start in range(0, 250, 10):
        await evidence.append(labels(10, start), b"%d" % start)
        assert await read(evidence) == labels(start + 10)[-100:]
    await evidence.append(labels(1000), b"more than are kept")
    assert await read(evidence) == labels(1000)[-100:]


async def test_a_smaller_bound_is_reached_in_steps(open_sqlite: Open) -> None:
    store = await open_sqlite()
    await store.evidence(EvidenceBounds()).append(labels(3000), b"a")
    evidence = store.evidence(EvidenceBounds(labels=10))
    left = []
    for number in range(3):
        await evidence.append(labels(1), b"%d" % number)
        left.append(await rows(store, "labels"))
    assert left == [3001 - 1025, 3002 - 2050, 10]


async def test_hits_are_bounded_by_number(open_sqlite: Open) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds(served=50))
    for start in range(0, 200, 10):
        await evidence.remember([hit(number) for number in range(start, start + 10)])
    assert await rows(store, "served") == 50
    assert await evidence.take("149", "tenant") is None
    assert await evidence.take("150", "tenant") == hit(150)


async def test_hits_that_are_over_leave_the_file(open_sqlite: Open, clock: Any) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds(seconds=10))
    await evidence.remember([hit(number) for number in range(600)])
    clock.now += 10
    await evidence.remember([hit(600, clock.now)])
    assert await rows(store, "served") == 1


async def test_the_same_hit_again_is_one_row(open_sqlite: Open) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    for _ in range(3):
        await evidence.remember([hit(1), hit(1), hit(2)])
    assert await rows(store, "served") == 2


@pytest.mark.parametrize("value", ["x''", "x'0102'", "NULL || 'text'", "7", "'text'", "1.5"])
async def test_damaged_labels_are_skipped_and_counted(
    open_sqlite: Open, change_file: Any, value: str
) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    await evidence.append(labels(4), b"a")
    change_file(f"UPDATE OR IGNORE labels SET label = IFNULL({value}, 0) WHERE sequence IN (2, 4)")
    first = await evidence.labels("", 2)
    assert list(first.labels) == labels(1)
    second = await evidence.labels(first.cursor, 1)
    third = await evidence.labels(second.cursor, 1)
    assert list(second.labels) == labels(1, 2)
    assert third.labels == ()
    assert third.cursor != second.cursor
    assert (await evidence.labels(third.cursor, 1)) == LabelBatch((), third.cursor)
    assert evidence.damaged == 2
    await evidence.append(labels(1, 4), b"b")
    assert list((await evidence.labels(third.cursor, 9)).labels) == labels(1, 4)


async def test_a_damaged_hit_is_unknown_and_counted(open_sqlite: Open, change_file: Any) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    await evidence.remember([hit(1), hit(2), hit(3)])
    change_file(
        "UPDATE served SET hit = 7 WHERE id = 1", "UPDATE served SET hit = x'02' WHERE id = 2"
    )
    assert [await evidence.take(str(n), "tenant") for n in (1, 2, 3)] == [None, None, hit(3)]
    assert evidence.damaged == 2
    assert await rows(store, "served") == 0


async def test_a_row_of_another_version_is_left_alone(open_sqlite: Open, change_file: Any) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    await evidence.append(labels(2), b"a")
    await evidence.remember([hit(1)])
    change_file(
        "UPDATE labels SET label = x'0200000000' WHERE sequence = 1",
        "UPDATE served SET hit = x'0200000000'",
    )
    assert await read(evidence) == labels(1, 1)
    assert await evidence.take("1", "tenant") is None
    assert evidence.damaged == 0


async def test_another_file_begins_anew(open_sqlite: Open, tmp_path: Path) -> None:
    stores = [await open_sqlite(path=tmp_path / f"{n}.sqlite3") for n in range(2)]
    one, other = [store.evidence(EvidenceBounds()) for store in stores]
    await one.append(labels(3), b"a")
    await other.append(labels(5), b"a")
    cursor = (await one.labels("", 9)).cursor
    batch = await other.labels(cursor, 9)
    assert batch.anew
    assert list(batch.labels) == labels(5)


async def test_an_older_copy_of_the_file_begins_anew(open_sqlite: Open, change_file: Any) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    await evidence.append(labels(3), b"a")
    cursor = (await evidence.labels("", 9)).cursor
    change_file("DELETE FROM labels WHERE sequence = 3")
    batch = await evidence.labels(cursor, 9)
    assert batch.anew
    assert list(batch.labels) == labels(2)
    assert await evidence.labels(batch.cursor, 9) == LabelBatch((), batch.cursor)


async def test_a_missing_table_is_unavailable(open_sqlite: Open, change_file: Any) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    change_file("DROP TABLE labels", "DROP TABLE served")
    for call in (
        evidence.append(labels(1), b"a"),
        evidence.labels("", 1),
        evidence.remember([hit(1)]),
        evidence.take("1", "tenant"),
    ):
        with pytest.raises(StoreUnavailable):
            await call


async def test_a_failed_transaction_writes_none(open_sqlite: Open, change_file: Any) -> None:
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    change_file(
        "CREATE TRIGGER full AFTER INSERT ON labels WHEN new.sequence = 3 "
        "BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(StoreUnavailable):
        await evidence.append(labels(5), b"a")
    assert await rows(store, "labels") == 0
    change_file("DROP TRIGGER full")
    await evidence.append(labels(5), b"a")
    assert await read(evidence) == labels(5)


async def test_many_hits_are_several_transactions() -> None:
    written: list[tuple[int, int]] = []

    class Connection(sqlite3.Connection):
        rows = 0

        def executemany(self, sql: str, parameters: Any, /) -> Any:
            self.rows += len(parameters)

        def execute(self, sql: str, parameters: Any = (), /) -> Any:
            return None

    async def write(work: Callable[[sqlite3.Connection], Any], size: int = 0, /) -> Any:
        connection = Connection(":memory:")
        result = work(connection)
        written.append((connection.rows, size))
        connection.close()
        return result

    async def read_nothing(work: Any, /) -> Any:
        raise AssertionError

    evidence = SqliteEvidence(read_nothing, write, lambda: NOW, EvidenceBounds())
    await evidence.remember([hit(number) for number in range(600)])
    assert [count for count, _ in written] == [64] * 9 + [24]
    assert all(size > 40 * count for count, size in written)


async def test_documents_and_hits_share_transactions(
    open_sqlite: Open, make_document: Callable[..., Any]
) -> None:
    """What waits is committed together: no document waits for a commit of hits alone."""
    store = await open_sqlite()
    evidence = store.evidence(EvidenceBounds())
    batches: list[int] = []
    run = store._writer._run

    def counted(connection: sqlite3.Connection, jobs: Any) -> None:
        batches.append(len(jobs))
        run(connection, jobs)

    store._writer._run = counted
    work = [store.put(make_document(number)) for number in range(50)]
    work += [evidence.remember([hit(number)]) for number in range(50)]
    await asyncio.gather(*work)
    assert sum(batches) == 100
    assert len(batches) < 50
