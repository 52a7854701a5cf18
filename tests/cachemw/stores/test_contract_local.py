"""What a store does that bounds and sweeps itself; runs on each name in conftest's LOCAL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document, Embedded

_T = TypeVar("_T")
Make = Callable[..., _T]


async def test_remove_expired_counts_and_spares_the_rest(
    open_local: Any, make_document: Make[Document], clock: Any
) -> None:
    store = await open_local()
    for number in range(600):
        await store.put(make_document(number, expires_at=clock.now + 1))
    for number in range(600, 610):
        await store.put(make_document(number, expires_at=clock.now + 100))
    await store.put(make_document(5, expires_at=clock.now + 100))
    clock.now += 1
    assert await store.remove_expired() == 599
    assert await store.remove_expired() == 0
    assert (await store.stats()).entries == 11
    assert await store.get(make_document(5).key) is not None


async def test_index_rows_come_oldest_first(
    open_local: Any, make_document: Make[Document], make_embedded: Make[Embedded]
) -> None:
    store = await open_local()
    for number in range(700):
        await store.put(make_document(number, embedded=make_embedded(number)))
    await store.put(make_document(1, embedded=make_embedded(1)))
    await store.get(make_document(3).key)
    expected = [make_document(number).key for number in [0, *range(2, 700), 1]]
    rows = [row async for batch in store.index_rows("minilm-1") for row in batch]
    assert [row.key for row in rows] == expected


async def test_stays_within_its_bytes_and_keeps_the_newest(
    open_local: Any, make_document: Make[Document]
) -> None:
    limit = 100_000
    store = await open_local(max_bytes=limit)
    for number in range(1000):
        await store.put(make_document(number))
        assert (await store.stats()).stored_bytes <= limit
    kept = [n for n in range(1000) if await store.get(make_document(n).key) is not None]
    assert 10 < len(kept) < 1000
    assert kept == list(range(1000 - len(kept), 1000))


async def test_document_larger_than_the_store_is_refused(
    open_local: Any, make_document: Make[Document]
) -> None:
    store = await open_local(max_bytes=20_000)
    await store.put(make_document(1))
    # Every value of a byte in an order that does not compress.
    body = b"".join((n * 2654435761 % 2**32).to_bytes(4, "big") for n in range(10_000))
    refused = make_document(2, body=body)
    with pytest.raises(StoreUnavailable):
        await store.put(refused)
    assert await store.get(refused.key) is None
    assert await store.get(make_document(1).key) is not None


async def test_bytes_are_counted_before_and_after_compression(
    open_local: Any, make_document: Make[Document]
) -> None:
    store = await open_local()
    await store.put(make_document(1, body=b"again and " * 1000))
    full = await store.stats()
    assert full.raw_bytes > 10_000
    assert full.stored_bytes <= full.raw_bytes
    await store.delete(make_document(1).key)
    empty = await store.stats()
    assert (empty.raw_bytes, empty.stored_bytes) == (0, 0)
