"""The change log of every durable store: what one process does, the others can follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cachemw.stores.base import Change, ChangeBatch, ChangeKind, Document, DocumentStore

Make = Callable[..., Document]
Open = Callable[..., Any]


def put(document: Document, origin: str) -> Change:
    return Change(ChangeKind.PUT, (document.key,), origin)


def removed(*documents: Document, origin: str) -> Change:
    return Change(ChangeKind.REMOVE, tuple(document.key for document in documents), origin)


async def follow(store: DocumentStore, cursor: str, limit: int = 1000) -> list[Change]:
    """Return all changes after the cursor, read in pieces of `limit`."""
    changes: list[Change] = []
    while (batch := await store.changes(cursor, limit)).changes:
        assert batch.complete
        assert len(batch.changes) <= limit
        assert batch.cursor != cursor
        changes += batch.changes
        cursor = batch.cursor
    assert batch == ChangeBatch((), cursor)
    return changes


async def test_changes_come_in_order_with_origin_and_keys(
    open_durable: Open, make_document: Make
) -> None:
    store = await open_durable(origin="worker-1")
    start = await store.newest()
    one, two, three = (make_document(number) for number in range(3))
    for document in (one, two, three, one):
        await store.put(document)
    await store.delete(two.key)
    await store.delete_many([three.key, one.key])
    assert await follow(store, start) == [
        put(one, "worker-1"),
        put(two, "worker-1"),
        put(three, "worker-1"),
        put(one, "worker-1"),
        removed(two, origin="worker-1"),
        removed(three, one, origin="worker-1"),
    ]


async def test_nothing_new_is_no_changes(open_durable: Open, make_document: Make) -> None:
    store = await open_durable()
    start = await store.newest()
    assert await store.changes(start, 10) == ChangeBatch((), start)
    await store.put(make_document(1))
    newest = await store.newest()
    assert newest != start
    assert await store.changes(newest, 10) == ChangeBatch((), newest)


async def test_what_was_absent_is_logged_as_removed_all_the_same(
    open_durable: Open, make_document: Make
) -> None:
    store = await open_durable(origin="a")
    start = await store.newest()
    absent = make_document(1)
    assert await store.delete(absent.key) is False
    assert await store.delete_many([absent.key]) == 0
    assert await follow(store, start) == [removed(absent, origin="a")] * 2


async def test_two_openers_see_each_other(open_durable: Open, make_document: Make) -> None:
    one, two = await open_durable(origin="one"), await open_durable(origin="two")
    start = await two.newest()
    assert await one.newest() == start
    await one.put(make_document(1))
    await two.put(make_document(2))
    await one.delete(make_document(2).key)
    expected = [
        put(make_document(1), "one"),
        put(make_document(2), "two"),
        removed(make_document(2), origin="one"),
    ]
    assert await follow(one, start) == expected
    assert await follow(two, start) == expected


async def test_catches_up_in_pieces_after_a_pause(open_durable: Open, make_document: Make) -> None:
    one, two = await open_durable(origin="one"), await open_durable(origin="two")
    start = await two.newest()
    documents = [make_document(number) for number in range(100)]
    for document in documents:
        await one.put(document)
    expected = [put(document, "one") for document in documents]
    for limit in (1, 7, 100, 101):
        assert await follow(two, start, limit) == expected
    first = await two.changes(start, 7)
    assert first.changes == tuple(expected[:7])


async def test_cursor_outlives_the_process(open_durable: Open, make_document: Make) -> None:
    store = await open_durable(origin="before")
    await store.put(make_document(1))
    cursor = await store.newest()
    await store.put(make_document(2))
    await store.aclose()
    again = await open_durable(origin="after")
    await again.put(make_document(3))
    assert await follow(again, cursor) == [
        put(make_document(2), "before"),
        put(make_document(3), "after"),
    ]


async def test_concurrent_writers_are_all_told_of(open_durable: Open, make_document: Make) -> None:
    stores = [await open_durable(origin=str(number)) for number in range(3)]
    start = await stores[0].newest()
    await asyncio.gather(
        *(stores[number % 3].put(make_document(number)) for number in range(150)),
    )
    changes = await follow(stores[0], start, 40)
    expected = {put(make_document(number), str(number % 3)) for number in range(150)}
    assert set(changes) == expected
    assert len(changes) == 150
    assert await follow(stores[1], start) == changes


async def test_a_long_removal_is_whole(open_durable: Open, make_document: Make) -> None:
    store = await open_durable(origin="a")
    documents = [make_document(number) for number in range(600)]
    start = await store.newest()
    await store.delete_many([document.key for document in documents])
    changes = await follow(store, start)
    assert [key for change in changes for key in change.keys] == [d.key for d in documents]
    assert {(change.kind, change.origin) for change in changes} == {(ChangeKind.REMOVE, "a")}
    assert len(changes) < 10


async def test_incomplete_exactly_where_something_is_forgotten(
    open_durable: Open, make_document: Make
) -> None:
    store = await open_durable(origin="a", changes_kept=10)
    cursors = [await store.newest()]
    # Enough that also a store that forgets in large steps has forgotten some.
    for number in range(500):
        await store.put(make_document(number % 5))
        cursors.append(await store.newest())
    batches = [await store.changes(cursor, 1000) for cursor in cursors]
    for number, batch in enumerate(batches):
        assert batch.cursor == cursors[-1]
        rest = [put(make_document(n % 5), "a") for n in range(number, 500)]
        assert list(batch.changes) == (rest if batch.complete else [])
    complete = [batch.complete for batch in batches]
    assert complete == sorted(complete)
    assert complete[0] is False
    assert complete[-11:] == [True] * 11


async def test_strange_cursors_are_incomplete(open_durable: Open, make_document: Make) -> None:
    store = await open_durable()
    await store.put(make_document(1))
    newest = await store.newest()
    strange = ["", ":", "0", "x" * 5000, "\x00", "ü:1", "-1", f"x{newest}", f"{newest}x"]
    strange += [f"{newest}:{newest}", f"{newest} ", f"{newest}\n"]
    for cursor in strange:
        assert await store.changes(cursor, 10) == ChangeBatch((), newest, complete=False), cursor


async def test_expiry_is_not_logged(open_durable: Open, make_document: Make, clock: Any) -> None:
    store = await open_durable()
    start = await store.newest()
    await store.put(make_document(1, expires_at=clock.now + 1))
    clock.now += 1
    await store.remove_expired()
    assert await store.get(make_document(1).key) is None
    assert [change.kind for change in await follow(store, start)] == [ChangeKind.PUT]


async def test_order_does_not_depend_on_the_clock(
    open_durable: Open, make_document: Make, clock: Any
) -> None:
    store = await open_durable(origin="a")
    start = await store.newest()
    jumps = [0.0, 3600.0, -7200.0, 1.0, -1e6, 1e6]
    for number, jump in enumerate(jumps):
        clock.now += jump
        await store.put(make_document(number))
    assert await follow(store, start) == [put(make_document(n), "a") for n in range(len(jumps))]
