"""What is particular to the store in memory; the rest is in test_contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore


def test_is_not_durable() -> None:
    assert MemoryStore.durable is False


async def test_expired_goes_before_what_was_used_least(
    make_document: Callable[..., Document], clock: Any
) -> None:
    store = MemoryStore(clock, max_bytes=10_000)
    await store.put(make_document(0))
    await store.put(make_document(1, expires_at=clock.now + 5, body=bytes(5000)))
    clock.now += 5
    await store.put(make_document(2, body=bytes(4000)))
    assert await store.get(make_document(0).key) is not None
    assert (await store.stats()).entries == 2


async def test_a_get_spares_from_eviction(
    make_document: Callable[..., Document], clock: Any
) -> None:
    store = MemoryStore(clock, max_bytes=10_000)
    await store.put(make_document(0, body=bytes(3000)))
    await store.put(make_document(1, body=bytes(3000)))
    await store.get(make_document(0).key)
    await store.put(make_document(2, body=bytes(3000)))
    assert await store.get(make_document(0).key) is not None
    assert await store.get(make_document(1).key) is None


async def test_replacing_one_key_does_not_grow_the_store(
    make_document: Callable[..., Document], clock: Any
) -> None:
    store = MemoryStore(clock, max_bytes=10_000)
    for _ in range(10_000):
        await store.put(make_document(0))
    assert len(store._expiries) < 100


async def test_a_prompt_with_a_lone_surrogate_can_be_kept(
    make_document: Callable[..., Document], clock: Any
) -> None:
    store = MemoryStore(clock, max_bytes=10_000)
    await store.put(make_document(0, prompt="\ud800"))
    assert await store.get(make_document(0).key) is not None
