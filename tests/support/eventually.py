"""Waiting, on the event loop, for what no event tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], limit_s: float = 30.0) -> None:
    """Return once `condition` holds; a TimeoutError where it does not within `limit_s`."""
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110 - in another process, which cannot set one
            await asyncio.sleep(0.01)
