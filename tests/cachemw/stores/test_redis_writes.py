"""What was accepted is finished; what comes after is refused."""

from __future__ import annotations

import asyncio

import pytest

from cachemw.errors import StoreUnavailable
from cachemw.stores.redis_writes import Writes


async def test_closing_waits_for_what_runs() -> None:
    writes, go_on = Writes(), asyncio.Event()
    steps: list[str] = []

    async def write() -> None:
        with writes.accept():
            await go_on.wait()
            steps.append("written")

    running = [asyncio.create_task(write()) for _ in range(2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(writes.aclose(30.0))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable), writes.accept():
        steps.append("never")
    go_on.set()
    await closing
    assert steps == ["written", "written"]
    await asyncio.gather(*running)


async def test_closing_does_not_wait_for_ever() -> None:
    writes = Writes()
    with writes.accept():
        await writes.aclose(0.01)
    await writes.aclose(0.01)


async def test_a_failed_write_is_over() -> None:
    writes = Writes()
    with pytest.raises(ValueError, match="no"), writes.accept():
        raise ValueError("no")
    async with asyncio.timeout(30):
        await writes.aclose(60.0)
