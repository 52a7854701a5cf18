"""What every document store says of documents by their keys; runs on each of conftest's STORES."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachemw.stores.base import Document

#: More than one batch of any store.
MANY = 300


async def test_entries_of_tells_what_entries_does(
    store: Any, make_document: Callable[..., Document]
) -> None:
    for n in range(MANY):
        await store.put(make_document(n, category=f"c{n % 3}"))
    known = {info.key: info async for batch in store.entries() for info in batch}
    wanted = [make_document(n).key for n in range(0, MANY, 2)]
    told = await store.entries_of([*wanted, b"absent" * 5])
    assert {info.key for info in told} == set(wanted)
    assert all(known[info.key] == info for info in told)


async def test_entries_of_leaves_out_what_has_expired(
    store: Any, make_document: Callable[..., Document], clock: Any
) -> None:
    await store.put(make_document(1, expires_at=clock.now + 1))
    await store.put(make_document(2, expires_at=clock.now + 9))
    clock.now += 1
    keys = [make_document(n).key for n in (1, 2)]
    assert [info.key for info in await store.entries_of(keys)] == keys[1:]
    assert await store.entries_of([]) == []
