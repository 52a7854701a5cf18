"""Reading a request off ASGI's `receive`."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from cachemw.errors import BodyTooLarge, Overloaded
from cachemw.http.messages import BodyMemory, ClientGone, HttpRequest, Reply

GONE: dict[str, Any] = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def request(*messages: dict[str, Any], **headers: bytes) -> HttpRequest:
    """Make a request whose client sends `messages` and then nothing more."""
    waiting = list(messages)

    async def receive() -> MutableMapping[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return HttpRequest("POST", "/v1/x", b"", list(named.items()), named, receive)


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"abcd")],
        [part(b"ab", more=True), part(b"cd")],
        [part(b"", more=True), part(b"abcd", more=True), part(b"")],
    ],
    ids=["whole", "in parts", "with empty parts"],
)
class TestBody:
    async def test_up_to_the_limit(self, messages: list[dict[str, Any]]) -> None:
        assert await request(*messages).body(4) == b"abcd"

    async def test_over_the_limit(self, messages: list[dict[str, Any]]) -> None:
        with pytest.raises(BodyTooLarge, match="limit of 3 bytes"):
            await request(*messages).body(3)

    async def test_in_chunks(self, messages: list[dict[str, Any]]) -> None:
        chunks = [chunk async for chunk in request(*messages).body_chunks()]

        assert b"".join(chunks) == b"abcd"
        assert all(chunks)


async def test_a_declared_length_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BodyTooLarge):
        await request(content_length=b"5").body(4)


@pytest.mark.parametrize("messages", [[GONE], [part(b"ab", more=True), GONE]])
async def test_a_client_that_leaves_while_it_sends(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientGone):
        await request(*messages).body(100)
    with pytest.raises(ClientGone):
        async for _ in request(*messages).body_chunks():
            pass


class TestBodyMemory:
    async def test_large_bodies_are_counted_until_they_are_released(self) -> None:
        memory = BodyMemory(10)
        first = request(part(b"abcd", more=True), part(b"ef"))
        assert await first.body(100, memory) == b"abcdef"
        assert memory.held == 6
        second = request(part(b"abcd", more=True), part(b"efgh"))
        with pytest.raises(Overloaded):
            await second.body(100, memory)
        second.release()
        assert memory.held == 6
        first.release()
        first.release()
        assert memory.held == 0

    async def test_small_ones_are_not(self) -> None:
        memory = BodyMemory(1)
        assert await request(part(b"abcd")).body(100, memory) == b"abcd"
        assert memory.held == 0

    async def test_one_that_is_broken_off_is_given_back(self) -> None:
        memory = BodyMemory(100)
        left = request(part(b"abcd", more=True), GONE)
        with pytest.raises(ClientGone):
            await left.body(100, memory)
        left.release()
        assert memory.held == 0


class TestUnlessGone:
    async def test_returns_the_result(self) -> None:
        assert await request().unless_gone(asyncio.sleep(0, "done")) == "done"

    async def test_passes_on_a_failure(self) -> None:
        async def fail() -> None:
            raise ValueError("its own")

        with pytest.raises(ValueError, match="its own"):
            await request().unless_gone(fail())

    async def test_cancels_the_work_of_a_client_that_left(self) -> None:
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        asked = request(part(b"", more=False), GONE)
        await asked.body(0)
        with pytest.raises(ClientGone):
            await asked.unless_gone(work())
        await ended.wait()

    async def test_a_result_that_is_there_goes_before_a_hang_up(self) -> None:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done.set_result("done")

        assert await request(GONE).unless_gone(done) == "done"

    async def test_does_not_watch_before_the_body_was_read(self) -> None:
        asked = request(part(b"a", more=True), part(b"b", more=False))
        chunks = asked.body_chunks()

        async def read_all() -> bytes:
            return b"".join([chunk async for chunk in chunks])

        # Not a message of the body is lost to the watcher beside it.
        assert await asked.unless_gone(read_all()) == b"ab"


def test_replies_do_not_share_their_headers() -> None:
    Reply(200).headers.append((b"a", b"b"))

    assert Reply(200).headers == []
