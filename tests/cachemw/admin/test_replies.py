"""Clients that hang up and stores that fail, in the middle of a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import orjson
import pytest

from cachemw.admin.replies import begun
from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document, EntryInfo
from cachemw.stores.memory import MemoryStore
from tests.cachemw.admin.conftest import TOKEN, Admin, admin_over, document
from tests.support.asgi import AsgiClient, AsgiExchange
from tests.support.service import Clock

BATCHES = 10


class SteppingStore(MemoryStore):
    """Gives one entry at a time, when it is allowed to; fails after `fails_after`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, 1 << 24)
        self.allowed = asyncio.Semaphore(0)
        self.given = 0
        self.closed = asyncio.Event()
        self.fails_after = BATCHES
        self.removed: list[bytes] = []

    async def entries(self) -> AsyncIterator[list[EntryInfo]]:
        try:
            for number in range(BATCHES):
                await self.allowed.acquire()
                if number == self.fails_after:
                    raise StoreUnavailable("gone")
                self.given += 1
                yield [EntryInfo.of(document(number), 1)]
        finally:
            self.closed.set()

    async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
        return [document(n) for n in range(BATCHES) if document(n).key in keys]

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        self.removed += keys
        return len(keys)


@pytest.fixture
async def stepping(clock: Clock) -> SteppingStore:
    return SteppingStore(clock)


@pytest.fixture
async def slow(stepping: SteppingStore, clock: Clock) -> Admin:
    return admin_over(stepping, clock)


def _start(admin: Admin, method: str, path: str, body: bytes = b"") -> AsgiExchange:
    return AsgiClient(admin.app, {"authorization": f"Bearer {TOKEN}"}).start(method, path, body)


@pytest.mark.parametrize("path", ["/cache/export", "/cache/entries"])
async def test_a_stream_ends_when_its_client_hangs_up(
    slow: Admin, stepping: SteppingStore, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="cachemw.audit")
    exchange = _start(slow, "GET", path)
    for _ in range(3):
        stepping.allowed.release()
    async with asyncio.timeout(20):
        while len(exchange.reply.chunks) < 3:  # noqa: ASYNC110 - what is sent sets no event
            await asyncio.sleep(0)
        exchange.hang_up()
        await stepping.closed.wait()
        await exchange.task
    assert stepping.given == 3
    (line,) = (vars(record) for record in caplog.records if record.name == "cachemw.audit")
    assert (line["outcome"], line["lines"]) == ("broken off", 3)


async def test_a_purge_goes_on_when_its_client_hangs_up(
    slow: Admin, stepping: SteppingStore
) -> None:
    exchange = _start(slow, "POST", "/cache/purge", b'{"all": true}')
    stepping.allowed.release()
    async with asyncio.timeout(20):
        while not stepping.removed:  # noqa: ASYNC110
            await asyncio.sleep(0)
        exchange.hang_up()
        exchange.task.cancel()  # what a server does that is told to stop
        for _ in range(BATCHES):
            stepping.allowed.release()
        await stepping.closed.wait()
    await asyncio.gather(exchange.task, return_exceptions=True)
    assert len(stepping.removed) == BATCHES


async def test_a_store_that_fails_before_anything_was_sent_is_a_503(
    slow: Admin, stepping: SteppingStore
) -> None:
    stepping.fails_after = 0
    stepping.allowed.release()
    reply = await slow.call("GET", "/cache/export")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "cache_unavailable")


async def test_a_store_that_fails_later_is_told_by_a_last_line(
    slow: Admin, stepping: SteppingStore
) -> None:
    stepping.fails_after = 2
    for _ in range(BATCHES):
        stepping.allowed.release()
    reply = await slow.call("GET", "/cache/entries")
    *entries, last = reply.body.splitlines()
    assert (reply.status, len(entries)) == (200, 2)
    assert orjson.loads(last)["error"]["code"] == "cache_unavailable"


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_a_purge_that_fails_says_so(
    slow: Admin, stepping: SteppingStore, accept: str
) -> None:
    stepping.fails_after = 2
    for _ in range(BATCHES):
        stepping.allowed.release()
    reply = await slow.call("POST", "/cache/purge", {"all": True}, headers={"accept": accept})
    assert orjson.loads(reply.body.splitlines()[-1])["error"]["code"] == "cache_unavailable"
    # What went before the failure is gone from memory too.
    assert slow.forgotten == stepping.removed == [document(0).key, document(1).key]


async def test_nothing_is_an_empty_body() -> None:
    async def nothing() -> AsyncGenerator[bytes, None]:
        for chunk in tuple[bytes, ...]():
            yield chunk

    reply = await begun(nothing())
    assert reply.headers["cache-control"] == "no-store"
    assert [chunk async for chunk in reply.body_iterator] == []
