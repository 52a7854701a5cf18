"""One Redis server: its connections, its time limits, and the breaker that leaves it alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

from cachemw_policies.breaker import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    admit,
    failed,
    succeeded,
    tripped,
)
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError

from cachemw.errors import StoreUnavailable
from cachemw.stores.redis_connection import Connection, Words, exchange

#: How long a probe of a server that failed may take, in seconds: connecting and one PING.
_PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class NodeLimits:
    """At most `connections` exchanges at a time, `queue` together with those that wait.

    `breaker` says after how many failures in a row the server is left alone, and how many seconds
    stand between two probes then.
    """

    connections: int
    queue: int
    breaker: BreakerPolicy


class RedisNode:
    """A Redis server that `connect` makes connections to.

    `on_trouble` is called when the breaker opens.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        limits: NodeLimits,
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect = connect
        self._limits = limits
        self._on_trouble = on_trouble
        self._free: list[Connection] = []
        self._room = asyncio.Semaphore(limits.connections)
        self._pending = 0
        self._done = asyncio.Event()
        self._done.set()
        self._breaker = Breaker()
        self._answered_at = -inf
        self._recovery: asyncio.Task[None] | None = None
        self._open = True

    @property
    def available(self) -> bool:
        """Whether it is asked at all: False from when it failed until a probe succeeds."""
        return self._open and self._breaker.state is BreakerState.CLOSED

    async def run(self, commands: Sequence[Words], deadline: float) -> list[Any]:
        """Send the commands in one go and return the replies to them, in order.

        An error reply stands in its place as a `ResponseError`. Raises `StoreUnavailable`: at once
        while the server is left alone or the queue is full, otherwise by `deadline` (of the
        event loop's clock).
        """
        self._check_room()
        self._check_breaker()
        self._enter()
        began = _now()
        waiting = True
        try:
            async with asyncio.timeout_at(deadline), self._room:
                self._check_breaker()  # it may have failed meanwhile
                began, waiting = _now(), False
                replies = await self._ask(commands)
        except (TimeoutError, RedisError, OSError) as error:
            # To wait for a connection in vain says something about the server only if it has
            # answered nobody meanwhile.
            if not (waiting and self._answered_at > began):
                self._failed(began)
            msg = f"Redis failed: {type(error).__name__}"
            raise StoreUnavailable(msg) from None
        finally:
            self._leave()
        self._answered_at = _now()
        self._breaker = succeeded(self._breaker, began, self._answered_at)
        return replies

    async def greet(self, commands: Sequence[Words], deadline: float) -> list[Any]:
        """Do what `run` does as the first exchange of all, and let redis-py's errors through.

        After a failure the server is left alone until it answers a probe.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await self._ask(commands)
        except (TimeoutError, RedisError, OSError):
            self._breaker = tripped(self._limits.breaker, _now())
            self._recover_later()
            raise

    async def aclose(self, timeout_s: float) -> None:
        """Refuse further commands, finish those accepted, and close; may be called again."""
        self._open = False
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), timeout_s)
        await self._drop_idle()

    def _check_room(self) -> None:
        if not self._open:
            msg = "the document store is not open"
            raise StoreUnavailable(msg)
        if self._pending >= self._limits.queue:
            msg = f"{self._pending} operations wait for Redis already"
            raise StoreUnavailable(msg)

    def _check_breaker(self) -> None:
        if self._breaker.state is not BreakerState.CLOSED:
            msg = "Redis failed and has not answered since"
            raise StoreUnavailable(msg)

    def _enter(self) -> None:
        self._pending += 1
        self._done.clear()

    def _leave(self) -> None:
        self._pending -= 1
        if self._pending == 0:
            self._done.set()

    async def _ask(self, commands: Sequence[Words]) -> list[Any]:
        connection = await self._idle()
        if connection is not None:
            try:
                return await self._exchange(connection, commands)
            except LostConnection:
                # The server closes connections that are idle, and all of them when it restarts:
                # that says nothing about the server as it is now.
                await self._drop_idle()
        return await self._exchange(self._connect(), commands)

    async def _idle(self) -> Connection | None:
        while self._free:
            connection = self._free.pop()
            # What is there to read on an idle connection is its end.
            if connection.is_connected and not await connection.can_read():
                return connection
            await connection.disconnect(nowait=True)
        return None

    async def _exchange(self, connection: Connection, commands: Sequence[Words]) -> list[Any]:
        replies = await exchange(connection, commands)
        if self._open:
            self._free.append(connection)
        else:
            await connection.disconnect(nowait=True)
        return replies

    def _failed(self, began: float) -> None:
        was_available = self.available
        self._breaker = failed(self._breaker, self._limits.breaker, began, _now())
        if was_available and not self.available:
            self._recover_later()
            self._on_trouble()

    def _recover_later(self) -> None:
        self._recovery = asyncio.create_task(self._recover(), name="cachemw-redis-recovery")

    async def _recover(self) -> None:
        """Probe until it answers; also without traffic."""
        policy = self._limits.breaker
        await self._drop_idle()
        while self._breaker.state is not BreakerState.CLOSED:
            await asyncio.sleep(max(0.0, self._breaker.probe_at - _now()))
            began = _now()
            self._breaker, allowed = admit(self._breaker, policy, began)
            if not allowed:
                continue
            if await self._answers():
                self._breaker = succeeded(self._breaker, began, _now())
            else:
                self._breaker = failed(self._breaker, policy, began, _now())

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_S):
                replies = await self._exchange(self._connect(), [("PING",)])
        except (TimeoutError, RedisError, OSError):
            return False
        return replies == [b"PONG"]

    async def _drop_idle(self) -> None:
        while self._free:
            await self._free.pop().disconnect(nowait=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
