"""What is particular to the SQLite store: one file for several processes, and sudden death."""

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

import cachemw
from cachemw.errors import StoreUnavailable
from cachemw.stores.base import ChangeKind, Document, Embedded

Make = Callable[..., Document]
REPOSITORY = Path(cachemw.__file__).parents[1]


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


# Sudden death.

#: Writes for ever, eight at a time, and prints a number after its `put` returned. Beside them it
#: writes and removes documents with numbers from half a million on.
CHILD = """
import asyncio, random, sys, time
from pathlib import Path
import numpy as np
from cachemw.stores.base import ChangeKind, Document, Embedded
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

async def churn(store, number):
    while True:
        for offset in range(5):
            await store.put(document(number + offset))
        await store.delete_many([document(number + offset).key for offset in range(4)])
        number += 5

async def main():
    settings = StoreSettings(path=Path(sys.argv[1]), write_timeout_s=60.0)
    store = make_store(settings, time.time, lambda key: None)
    await store.start()
    first = int(sys.argv[2])
    churning = [churn(store, first + 500_000)] if churns else []
    await asyncio.gather(*(write(store, first + n) for n in range(8)), *churning)

churns = True
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


async def logged(open_sqlite: Callable[..., Any], path: Path) -> set[bytes]:
    """Return the keys that are there if one follows the log from its beginning."""
    store = await open_sqlite(path=path)
    identity, _, _ = (await store.newest()).partition(":")
    batch = await store.changes(f"{identity}:0", 100_000)
    assert batch.complete
    keys: set[bytes] = set()
    for change in batch.changes:
        if change.kind is ChangeKind.PUT:
            keys |= set(change.keys)
        else:
            keys -= set(change.keys)
    await store.aclose()
    return keys


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
    assert await logged(open_sqlite, path) == set(keys)
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
SHARING_CHILD = CHILD.replace("while True:", "for _ in range(40):").replace(
    "churns = True", "churns = False"
)


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


def make_empty(path: Path) -> None:
    path.parent.mkdir()
    path.touch()


@pytest.mark.parametrize("empty", [False, True], ids=["absent", "empty"])
async def test_processes_share_a_file_from_its_creation(
    open_sqlite: Any, path: Path, empty: bool
) -> None:
    if empty:
        make_empty(path)
    told = write_at_the_same_time(path, processes=3)
    store = await open_sqlite(path=path)
    assert (await store.stats()).entries == told == 3 * 8 * 40
