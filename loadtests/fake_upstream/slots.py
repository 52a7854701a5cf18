"""A capacity: so many answers at once, first come first served, and a queue that has an end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadtests.fake_upstream.errors import Refused
from loadtests.fake_upstream.wire import Exchange


class Slots:
    """`count` answers at once (None: no limit), and up to `waiting` calls that wait for one."""

    def __init__(self, count: int | None, waiting: int) -> None:
        self._limited = count is not None
        self._free = count or 0
        self._waiting = waiting
        self._queue: deque[asyncio.Event] = deque()

    @asynccontextmanager
    async def taken(self, exchange: Exchange) -> AsyncIterator[None]:
        """Hold a slot for as long as the block runs, once there is one.

        Raises Refused (429) where too many wait already, ClientLeft if the client goes meanwhile.
        """
        if not self._limited:
            yield
            return
        await self._take(exchange)
        try:
            yield
        finally:
            self._give()

    async def _take(self, exchange: Exchange) -> None:
        if self._free > 0:
            self._free -= 1
            return
        if len(self._queue) >= self._waiting:
            raise Refused(429, "The fake server has no capacity left.")
        turn = asyncio.Event()
        self._queue.append(turn)
        try:
            await exchange.wait_for(turn)
        except BaseException:
            # A slot that was handed over in this very moment goes to the next one.
            if turn.is_set():
                self._give()
            else:
                self._queue.remove(turn)
            raise

    def _give(self) -> None:
        if self._queue:
            self._queue.popleft().set()
        else:
            self._free += 1
