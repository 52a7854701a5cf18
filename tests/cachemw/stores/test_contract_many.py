"""What every document store does with many documents at once; runs on each of conftest's STORES."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cachemw.stores.base import Document, DocumentStore, Embedded, EntryInfo

_T = TypeVar("_T")
Make = Callable[..., _T]

#: More than one batch of any store.
MANY = 700


async def entries_of(store: DocumentStore) -> list[EntryInfo]:
    return [entry async for batch in store.entries() for entry in batch]


async def test_get_many_returns_the_live_ones_in_order(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded], clock: Any
) -> None:
    documents = [make_document(n, embedded=make_embedded(n)) for n in range(MANY)]
    for document in documents[::2]:
        await store.put(document)
    await store.put(make_document(1, expires_at=clock.now + 1))
    clock.now += 1
    wanted = [document.key for document in reversed(documents)]
    assert await store.get_many(wanted) == documents[::2][::-1]
    assert await store.get_many([documents[4].key] * 2) == [documents[4]] * 2
    assert await store.get_many([]) == []


async def test_get_many_of_large_documents(
    store: DocumentStore, make_document: Make[Document]
) -> None:
    documents = [make_document(n, body=bytes([n]) * 300_000) for n in range(8)]
    for document in documents:
        await store.put(document)
    assert await store.get_many([document.key for document in documents]) == documents


async def test_delete_many_counts_and_spares_the_rest(
    store: DocumentStore, make_document: Make[Document]
) -> None:
    documents = [make_document(n) for n in range(MANY)]
    for document in documents:
        await store.put(document)
    doomed = [document.key for document in documents[:-5]]
    assert await store.delete_many([*doomed, b"absent" * 5, doomed[0]]) == MANY - 5
    assert await store.get_many([document.key for document in documents]) == documents[-5:]
    assert await store.delete_many(doomed) == 0
    assert await store.delete_many([]) == 0


async def test_entries_tell_what_is_known(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded], clock: Any
) -> None:
    await store.put(make_document(1, tenant="one", model="m-1", tags=(), category="code"))
    await store.put(make_document(2, endpoint="/v1/responses", embedded=make_embedded(2)))
    await store.put(make_document(3, expires_at=clock.now + 1))
    clock.now += 1
    found = {entry.key: entry for entry in await entries_of(store)}
    assert sorted(found) == [make_document(1).key, make_document(2).key]
    one = make_document(1)
    first = found[one.key]
    assert first == EntryInfo(
        key=one.key,
        tenant="one",
        endpoint="/v1/chat/completions",
        model="m-1",
        category="code",
        tags=(),
        created_at=one.created_at,
        expires_at=one.expires_at,
        size=first.size,
    )
    second = found[make_document(2).key]
    assert (second.endpoint, second.tags) == ("/v1/responses", ("a", "ünïcode"))
    # The second has a vector besides.
    assert second.size > first.size > 32


async def test_entries_of_an_empty_store(store: DocumentStore) -> None:
    assert await entries_of(store) == []


async def test_entries_of_a_store_that_changes_are_each_told_once(
    store: DocumentStore, make_document: Make[Document]
) -> None:
    for number in range(MANY):
        await store.put(make_document(number))
    seen: list[bytes] = []
    async for batch in store.entries():
        seen += [entry.key for entry in batch]
        # What was told already comes again as the newest; something new; something goes.
        await store.put(make_document(int.from_bytes(seen[0], "big"), body=b"{}"))
        await store.put(make_document(MANY + len(seen)))
        await store.delete(make_document(MANY - 1).key)
    assert len(seen) == len(set(seen))
    assert {make_document(number).key for number in range(MANY - 1)} <= set(seen)


async def test_rows_of_are_live_and_of_the_fingerprint(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded], clock: Any
) -> None:
    for number in range(MANY):
        fingerprint = "minilm-1" if number % 2 else "minilm-2"
        await store.put(make_document(number, embedded=make_embedded(number, fingerprint)))
    await store.put(make_document(3))
    await store.put(make_document(5, expires_at=clock.now + 1, embedded=make_embedded(5)))
    clock.now += 1
    keys = [make_document(number).key for number in range(MANY + 5)]
    rows = {row.key: row for row in await store.rows_of(keys, "minilm-1")}
    assert sorted(rows) == [keys[number] for number in [1, *range(7, MANY, 2)]]
    assert rows[keys[7]].embedded == make_embedded(7)
    assert rows[keys[7]].expires_at == make_document(7).expires_at
    assert await store.rows_of(keys, "minilm-3") == []
    assert await store.rows_of([], "minilm-1") == []
