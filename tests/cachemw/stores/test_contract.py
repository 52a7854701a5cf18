"""What every document store does; runs on each name in conftest's STORES."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from cachemw.stores.base import Document, DocumentStore, Embedded

_T = TypeVar("_T")
Make = Callable[..., _T]


async def keys_of(store: DocumentStore, fingerprint: str) -> list[bytes]:
    return [row.key async for rows in store.index_rows(fingerprint) for row in rows]


async def test_returns_what_was_put(
    store: DocumentStore,
    make_document: Make[Document],
    make_embedded: Make[Embedded],
    same: Make[bool],
) -> None:
    for number, document in enumerate(
        [
            make_document(0),
            make_document(1, embedded=make_embedded(1)),
            make_document(2, prompt="", body=b"", tags=()),
            make_document(3, body=bytes(range(256)) * 2000, prompt="日本語 \x00 🦜"),
        ]
    ):
        await store.put(document)
        assert same(await store.get(number.to_bytes(32, "big")), document)


async def test_absent_key_is_none(store: DocumentStore, make_document: Make[Document]) -> None:
    await store.put(make_document(1))
    assert await store.get(b"\x00" * 32) is None
    assert await store.get(make_document(1).key + b"\x00") is None


async def test_put_replaces_and_counts_once(
    store: DocumentStore, make_document: Make[Document], same: Make[bool]
) -> None:
    await store.put(make_document(1, body=b"old" * 100))
    await store.put(make_document(1, body=b"new"))
    assert same(await store.get(make_document(1).key), make_document(1, body=b"new"))
    assert (await store.stats()).entries == 1


async def test_delete_says_whether_there_was_one(
    store: DocumentStore, make_document: Make[Document]
) -> None:
    await store.put(make_document(1))
    assert await store.delete(make_document(1).key) is True
    assert await store.delete(make_document(1).key) is False
    assert await store.get(make_document(1).key) is None
    assert await keys_of(store, "minilm-1") == []


async def test_expired_is_never_returned(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded], clock: Any
) -> None:
    document = make_document(1, expires_at=clock.now + 10, embedded=make_embedded())
    await store.put(document)
    clock.now += 9.999
    assert await store.get(document.key) is not None
    clock.now = document.expires_at
    assert await keys_of(store, "minilm-1") == []
    assert await store.get(document.key) is None


async def test_put_of_an_expired_document_is_never_found(
    store: DocumentStore, make_document: Make[Document], clock: Any
) -> None:
    await store.put(make_document(1, expires_at=clock.now))
    assert await store.get(make_document(1).key) is None


@pytest.mark.parametrize("jump", [1e6, -1e6], ids=["forward", "backward"])
async def test_nothing_stays_wrong_after_the_clock_has_jumped(
    store: DocumentStore,
    make_document: Make[Document],
    make_embedded: Make[Embedded],
    clock: Any,
    jump: float,
) -> None:
    def put(number: int) -> Any:
        expires_at = clock.now + 10
        embedded = make_embedded(number)
        return store.put(make_document(number, expires_at=expires_at, embedded=embedded))

    async def found() -> list[int]:
        keys = {number: make_document(number).key for number in range(3)}
        there = [number for number, key in keys.items() if await store.get(key) is not None]
        assert sorted(await keys_of(store, "minilm-1")) == [keys[number] for number in there]
        return there

    before = clock.now
    await put(0)
    clock.now += jump
    await put(1)
    assert await found() == ([1] if jump > 0 else [0, 1])
    clock.now = before
    await put(0)
    await put(2)
    assert await found() == ([0, 1, 2] if jump > 0 else [0, 2])
    clock.now = before + 10
    assert await found() == ([1] if jump > 0 else [])
    clock.now = before + jump + 10
    assert 1 not in await found()


async def test_stats_return_to_zero(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded]
) -> None:
    for number in range(20):
        await store.put(make_document(number, embedded=make_embedded(number)))
    full = await store.stats()
    assert full.entries == 20
    assert full.stored_bytes > 20 * 32
    for number in range(20):
        await store.delete(make_document(number).key)
    assert (await store.stats()).entries == 0


async def test_index_rows_are_of_one_fingerprint(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded]
) -> None:
    for number in range(700):
        fingerprint = "minilm-1" if number % 2 else "minilm-2"
        await store.put(make_document(number, embedded=make_embedded(number, fingerprint)))
    await store.put(make_document(700))
    await store.put(make_document(1, embedded=make_embedded(1)))
    expected = [make_document(number).key for number in range(1, 700, 2)]
    assert sorted(await keys_of(store, "minilm-1")) == expected
    assert await keys_of(store, "minilm-3") == []


async def test_index_rows_carry_the_embedding(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded], clock: Any
) -> None:
    embedded = make_embedded(9)
    await store.put(make_document(9, embedded=embedded))
    [[row]] = [rows async for rows in store.index_rows("minilm-1")]
    assert row.expires_at == make_document(9).expires_at
    assert row.embedded.partition == embedded.partition
    assert row.embedded.fingerprint == "minilm-1"
    assert row.embedded.vector.tolist() == embedded.vector.tolist()


async def test_store_may_change_between_index_batches(
    store: DocumentStore, make_document: Make[Document], make_embedded: Make[Embedded]
) -> None:
    for number in range(600):
        await store.put(make_document(number, embedded=make_embedded(number)))
    seen = []
    async for rows in store.index_rows("minilm-1"):
        seen += [row.key for row in rows]
        await store.delete(make_document(599).key)
    last = make_document(599).key  # told of if it was in the first batch
    assert sorted(set(seen) - {last}) == [make_document(number).key for number in range(599)]
    assert len(seen) == len(set(seen))


async def test_concurrent_use_keeps_every_document(
    store: DocumentStore, make_document: Make[Document], same: Make[bool]
) -> None:
    documents = [make_document(number) for number in range(300)]
    await asyncio.gather(*(store.put(document) for document in documents))
    found = await asyncio.gather(*(store.get(document.key) for document in documents))
    assert all(same(f, d) for f, d in zip(found, documents, strict=True))


async def test_closes_twice(store: DocumentStore) -> None:
    await store.aclose()
    await store.aclose()
