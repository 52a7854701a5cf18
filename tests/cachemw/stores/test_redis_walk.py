"""Going through a store that changes under one's feet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cachemw.stores.base import Document
from cachemw.stores.redis_layout import REMOVE_EXPIRED
from cachemw.stores.redis_servers import deadline_in
from cachemw.stores.redis_walk import used_bytes

Make = Callable[..., Document]
Open = Callable[..., Any]


async def test_pages_go_on_where_their_last_key_has_gone_or_moved(
    open_redis: Open, make_document: Make, clock: Any
) -> None:
    store = await open_redis()
    # Ends that are shared by many: pages begin and stop in the middle of them.
    documents = [make_document(n, expires_at=clock.now + 100 + n // 300) for n in range(900)]
    for document in documents:
        await store.put(document)
    seen: list[bytes] = []
    gone: set[bytes] = set()
    async for batch in store.entries():
        seen += [entry.key for entry in batch]
        last = batch[-1].key
        if len(gone) % 2:
            await store.delete(last)
        else:
            number = int.from_bytes(last, "big")
            await store.put(make_document(number, expires_at=clock.now + 5000))
        gone.add(last)
    assert len(seen) == len(set(seen))
    assert set(seen) == {document.key for document in documents}


async def test_expired_and_live_are_told_apart_by_our_clock(
    open_redis: Open, make_document: Make, clock: Any
) -> None:
    store = await open_redis()
    for number in range(600):
        await store.put(make_document(number, expires_at=clock.now + 1000 + number))
    clock.now += 1000 + 299
    keys = {entry.key async for batch in store.entries() for entry in batch}
    assert keys == {make_document(number).key for number in range(300, 600)}
    assert (await store.stats()).entries == 300


async def test_documents_stored_anew_while_sweeping_stay(
    open_redis: Open, make_document: Make, clock: Any
) -> None:
    store = await open_redis()
    old = make_document(1, expires_at=clock.now + 100)
    await store.put(old)
    clock.now += 100
    await store.put(make_document(1, expires_at=clock.now + 100))
    # The second step of a sweep whose first step found it expired a moment ago.
    command = store._layout.of_shard(REMOVE_EXPIRED, 0, [old.key], repr(clock.now))
    assert await store._servers.run([command], deadline_in(30)) == [0]
    assert await store.get(old.key) is not None


@given(st.lists(st.integers(0, 2**48)))
def test_used_memory_is_summed_over_servers(sizes: list[int]) -> None:
    infos = [
        b"# Memory\r\nused_memory:%d\r\nused_memory_human:1K\r\nused_memory_rss:7\r\n" % size
        for size in sizes
    ]
    assert used_bytes(infos) == sum(sizes)
