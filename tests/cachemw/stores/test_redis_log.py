"""Cursors of the change log; what it tells is in the shared suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cachemw.stores.base import ChangeBatch, Document
from tests.support.redis_server import RedisServer

Make = Callable[..., Document]
Open = Callable[..., Any]


@pytest.mark.parametrize(
    "record",
    [
        "0-0",
        "1-1",
        "18446744073709551615-18446744073709551615",
        "18446744073709551616-0",
        "9" * 50,
        "1-1-1",
        "-1-0",
        "+1-0",
        "1_0-0",
        "²-0",
        "٣-0",
        " 1-0",
        "(1-0",
        "$",
        "-",
        "+",
    ],
)
async def test_records_that_are_not_there_make_an_incomplete_batch(
    open_redis: Open, make_document: Make, record: str
) -> None:
    store = await open_redis()
    await store.put(make_document(1))
    newest = await store.newest()
    own, _, _ = newest.partition(":")
    batch = await store.changes(f"{own}:{record}", 10)
    assert batch == ChangeBatch((), newest, complete=False)


async def test_the_record_of_another_store_is_not_taken_for_ones_own(
    open_redis: Open, redis_server: RedisServer, make_document: Make
) -> None:
    store = await open_redis()
    cursor = await store.newest()
    await store.put(make_document(1))
    redis_server.ask("set", store._layout.store_id.decode(), "restored-from-elsewhere")
    batch = await store.changes(cursor, 10)
    assert batch.complete is False
    assert batch.cursor.startswith("restored-from-elsewhere:")


async def test_the_log_is_bounded(
    open_redis: Open, redis_server: RedisServer, make_document: Make
) -> None:
    store = await open_redis(changes_kept=100)
    for number in range(1000):
        await store.put(make_document(number % 3))
    assert 100 <= int(redis_server.ask("xlen", store._layout.log.decode())) < 300
    for _ in range(500):
        await store.delete(make_document(1).key)
    assert 100 <= int(redis_server.ask("xlen", store._layout.log.decode())) < 300
