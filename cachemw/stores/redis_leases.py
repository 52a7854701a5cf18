"""Leases in Redis: a key with the holder's token and a time to live.

The holder's token is compared in the same step as the key is changed, so that a holder that was
too slow cannot touch the next one's lease (the pattern of Redis' documentation of SET NX). A lease
can be held twice after a failover of Redis; then an answer is made twice, which is harmless.
"""

from __future__ import annotations

from collections.abc import Callable

from cachemw.stores.leases import Lease, Leases
from cachemw.stores.redis_layout import RELEASE, RENEW, Layout
from cachemw.stores.redis_servers import Command, Servers, deadline_in


class RedisLeases(Leases):
    """Leases of `seconds`; every method answers or raises within `timeout_s`.

    `token` returns a value that no other process gets.
    """

    def __init__(
        self,
        servers: Servers,
        layout: Layout,
        *,
        seconds: float,
        timeout_s: float,
        token: Callable[[], bytes],
    ) -> None:
        self._servers = servers
        self._layout = layout
        self._milliseconds = max(1, round(1000 * seconds))
        self._timeout_s = timeout_s
        self._token = token

    async def take(self, key: bytes) -> Lease | None:
        """Return the lease on `key`, or None while somebody holds it."""
        name = self._layout.lease(key)
        token = self._token()
        words = ("SET", name, token, "NX", "PX", self._milliseconds)
        return _RedisLease(self, name, token) if await self.run(Command(name, words)) else None

    async def held(self, key: bytes) -> bool:
        """Return whether somebody holds the lease on `key`."""
        name = self._layout.lease(key)
        return await self.run(Command(name, ("EXISTS", name))) == 1

    async def renew(self, name: bytes, token: bytes) -> bool:
        """Begin the time of a lease anew; False where `token` does not hold it any more."""
        renew = Command.of_script(RENEW, [name], token, self._milliseconds)
        return await self.run(renew) == 1

    async def run(self, command: Command) -> object:
        """Return the reply to `command`."""
        (reply,) = await self._servers.run([command], deadline_in(self._timeout_s))
        return reply


class _RedisLease(Lease):
    def __init__(self, leases: RedisLeases, name: bytes, token: bytes) -> None:
        self._leases = leases
        self._name = name
        self._token = token

    async def renew(self) -> bool:
        return await self._leases.renew(self._name, self._token)

    async def release(self) -> None:
        await self._leases.run(Command.of_script(RELEASE, [self._name], self._token))
