"""A Redis cluster: which server has which keys, followed as it changes.

redis-py's cluster client is not used: on a failure of one server it closes the connections to all
and looks for the cluster anew within the request that met the failure. Here each server has its
own connections and breaker, so that the others go on, and the map is brought up to date beside the
requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.redis_connection import Address, Words
from cachemw.stores.redis_node import RedisNode
from cachemw.stores.redis_servers import (
    Command,
    Servers,
    checked,
    deadline_in,
    greeting,
    run_on,
)

#: Makes what talks to a server; the callable is to be called when that server fails.
MakeNode = Callable[[Address, Callable[[], None]], RedisNode]

_SLOTS: Words = ("CLUSTER", "SLOTS")
#: How long one server may take to say what it knows of the cluster, in seconds.
_ASK_S = 1.0
_CLOSE_S = 1.0


class ClusterServers(Servers):
    """The cluster that the server at `seed` belongs to.

    While one of its servers fails, the map is looked at anew every `retry_s`.
    """

    one_slot = False

    def __init__(self, seed: Address, make_node: MakeNode, retry_s: float) -> None:
        self._seed = seed
        self._make_node = make_node
        self._retry_s = retry_s
        self._nodes: dict[Address, RedisNode] = {}
        #: By slot: who has it.
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._outdated = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    async def start(self, deadline: float) -> None:
        """Learn who has which keys."""
        self._follower = asyncio.create_task(self._follow(), name="cachemw-redis-cluster")
        try:
            (reply,) = await greeting(self._node(self._seed), _SLOTS, deadline)
        except StoreUnavailable:
            self._outdated.set()
            raise
        if isinstance(reply, ResponseError):
            msg = "store.url is no node of a Redis cluster: set store.cluster to false"
            raise ConfigError(msg)
        self._adopt(_parsed(reply, self._seed))

    async def run(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Return the replies, in order; servers are asked at the same time."""
        by_server: dict[Address, list[int]] = {}
        for number, command in enumerate(commands):
            by_server.setdefault(self._owner(command), []).append(number)
        if len(by_server) == 1:
            (address,) = by_server
            return checked(await self._run_at(address, commands, deadline))
        parts = await asyncio.gather(
            *(
                self._run_at(address, [commands[number] for number in numbers], deadline)
                for address, numbers in by_server.items()
            ),
            return_exceptions=True,
        )
        replies: list[Any] = [None] * len(commands)
        for numbers, part in zip(by_server.values(), parts, strict=True):
            if isinstance(part, BaseException):
                raise part
            for number, reply in zip(numbers, part, strict=True):
                replies[number] = reply
        return checked(replies)

    async def run_everywhere(self, words: Words, deadline: float) -> list[Any]:
        """Return the replies of all servers that have keys."""
        owners = {address for address in self._owners if address is not None}
        asked = (self._node(address).run([words], deadline) for address in owners)
        return checked([reply for (reply,) in await asyncio.gather(*asked)])

    async def aclose(self, timeout_s: float) -> None:
        """Finish what was accepted, then close."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        await asyncio.gather(*(node.aclose(timeout_s) for node in self._nodes.values()))

    def _owner(self, command: Command) -> Address:
        address = self._owners[key_slot(command.key)]
        if address is None:
            self._outdated.set()
            msg = "no server of the Redis cluster is known for these keys"
            raise StoreUnavailable(msg)
        return address

    def _node(self, address: Address) -> RedisNode:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = self._make_node(address, self._outdated.set)
        return node

    async def _run_at(
        self, address: Address, commands: Sequence[Command], deadline: float
    ) -> list[Any]:
        """Return the replies of a server, or of the one it says has the keys now."""
        replies = await run_on(self._node(address), commands, deadline)
        for number, reply in enumerate(replies):
            if isinstance(reply, ClusterDownError):
                self._outdated.set()
            elif isinstance(reply, AskError):
                replies[number] = await self._redirected(reply, address, commands[number], deadline)
        return replies

    async def _redirected(
        self, reply: AskError, asked: Address, command: Command, deadline: float
    ) -> Any:
        """Follow a redirection, once: MOVED for good, ASK for this command only."""
        address = (reply.host or asked[0], int(reply.port))
        if isinstance(reply, MovedError):
            self._owners[int(reply.slot_id)] = address
            self._outdated.set()
            (answer,) = await run_on(self._node(address), [command], deadline)
            return answer
        words = [("ASKING",), command.with_source()]
        return (await self._node(address).run(words, deadline))[1]

    async def _follow(self) -> None:
        """Keep the map up to date, for as long as anything is wrong with it."""
        while True:
            await self._outdated.wait()
            self._outdated.clear()
            await self._refresh()
            if not self._is_whole(self._owners):
                self._outdated.set()
            await asyncio.sleep(self._retry_s)

    async def _refresh(self) -> None:
        """Adopt the map of a server whose servers all answer, or else the last one heard of."""
        heard: list[Address | None] | None = None
        for address, node in sorted(self._nodes.items(), key=lambda item: not item[1].available):
            try:
                (reply,) = await node.run([_SLOTS], deadline_in(_ASK_S))
            except StoreUnavailable:
                continue
            if isinstance(reply, ResponseError):
                continue
            heard = _parsed(reply, address)
            if self._is_whole(heard):
                break
        if heard is not None:
            self._adopt(heard)
            await self._drop_unused()

    def _adopt(self, owners: list[Address | None]) -> None:
        self._owners = owners
        for address in {address for address in owners if address is not None}:
            self._node(address)

    def _is_whole(self, owners: Sequence[Address | None]) -> bool:
        return all(address is not None and self._node(address).available for address in set(owners))

    async def _drop_unused(self) -> None:
        for address in set(self._nodes) - set(self._owners) - {self._seed}:
            await self._nodes[address].aclose(_CLOSE_S)
            del self._nodes[address]


def _parsed(reply: Sequence[Any], asked: Address) -> list[Address | None]:
    """Return who has which slot, from the reply of `asked` to CLUSTER SLOTS."""
    owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    for first, last, (host, port, *_), *_ in reply:
        # A server that does not know its own name leaves it empty.
        address = (host.decode() if host else asked[0], port)
        owners[first : last + 1] = [address] * (last + 1 - first)
    return owners
