"""Commands, and the one server or the cluster that carries them out."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.redis_connection import Words
from cachemw.stores.redis_node import RedisNode


class Script:
    """A Lua script, which Redis carries out as one step."""

    def __init__(self, source: str) -> None:
        self.source = source
        # Redis names scripts by it; nothing is kept safe by it.
        self.name = sha1(source.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the key that decides which server of a cluster takes it."""

    key: bytes
    words: Words
    script: Script | None = None

    @classmethod
    def of_script(
        cls, script: Script, keys: Sequence[bytes], *arguments: bytes | str | float
    ) -> Command:
        """Return a call of `script`; all keys must be in one slot where there is a cluster."""
        return cls(keys[0], ("EVALSHA", script.name, len(keys), *keys, *arguments), script)

    def with_source(self) -> Words:
        """Return the words for a server that may not have seen the script yet."""
        if self.script is None:
            return self.words
        return ("EVAL", self.script.source, *self.words[2:])


class Servers(ABC):
    """Where commands go. `run` and `run_everywhere` raise `StoreUnavailable` by `deadline`."""

    #: Whether keys of different slots can be in one script.
    one_slot: bool

    @abstractmethod
    async def start(self, deadline: float) -> None:
        """Make sure that it answers; raises `ConfigError` and `StoreUnavailable`.

        After a `StoreUnavailable` it goes on by itself as soon as Redis can be reached.
        """

    @abstractmethod
    async def run(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Return the replies, in order: one round trip, one to each server concerned."""

    @abstractmethod
    async def run_everywhere(self, words: Words, deadline: float) -> list[Any]:
        """Return the replies of every server that has keys."""

    @abstractmethod
    async def aclose(self, timeout_s: float) -> None:
        """Finish what was accepted, then close; may be called again."""


class SingleServer(Servers):
    """All keys on one server."""

    one_slot = True

    def __init__(self, node: RedisNode) -> None:
        self._node = node

    async def start(self, deadline: float) -> None:
        """Make sure that it answers and is no part of a cluster."""
        (info,) = await greeting(self._node, ("INFO", "cluster"), deadline)
        if isinstance(info, bytes) and b"cluster_enabled:1" in info:
            msg = "store.url is a node of a Redis cluster: set store.cluster to true"
            raise ConfigError(msg)

    async def run(self, commands: Sequence[Command], deadline: float) -> list[Any]:
        """Return the replies, in order."""
        return checked(await run_on(self._node, commands, deadline))

    async def run_everywhere(self, words: Words, deadline: float) -> list[Any]:
        """Return the server's reply."""
        return checked(await self._node.run([words], deadline))

    async def aclose(self, timeout_s: float) -> None:
        """Finish what was accepted, then close."""
        await self._node.aclose(timeout_s)


async def run_on(node: RedisNode, commands: Sequence[Command], deadline: float) -> list[Any]:
    """Return the replies of `node`, error replies among them.

    A script that it does not know, as after a restart, is sent to it in a second exchange.
    """
    replies = await node.run([command.words for command in commands], deadline)
    unknown = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = await node.run([commands[n].with_source() for n in unknown], deadline)
        for n, reply in zip(unknown, again, strict=True):
            replies[n] = reply
    return replies


def checked(replies: list[Any]) -> list[Any]:
    """Return the replies; raises `StoreUnavailable` if one of them is an error."""
    for reply in replies:
        if isinstance(reply, OutOfMemoryError):
            msg = "Redis is full: maxmemory is reached and its policy lets it remove nothing"
            raise StoreUnavailable(msg)
        if isinstance(reply, Exception):
            # Not its text: it can quote what was sent.
            msg = f"Redis refused a command: {type(reply).__name__}"
            raise StoreUnavailable(msg)
    return replies


async def greeting(node: RedisNode, words: Words, deadline: float) -> list[Any]:
    """Return the reply to a first command, in a list.

    Raises `ConfigError` where the server cannot be what is meant, `StoreUnavailable` where it
    cannot be reached.
    """
    try:
        replies = await node.greet([words], deadline)
    except AuthenticationError:
        msg = "store.url: Redis refuses the user or password, or wants one and there is none"
        raise ConfigError(msg) from None
    except (TimeoutError, BusyLoadingError):
        msg = "Redis did not answer in time"
        raise StoreUnavailable(msg) from None
    except ResponseError:
        # While connecting only SELECT and AUTH are sent.
        msg = "store.url: Redis refuses the database number or the user"
        raise ConfigError(msg) from None
    except (RedisError, OSError) as error:
        msg = f"Redis cannot be reached: {type(error).__name__}"
        raise StoreUnavailable(msg) from None
    if isinstance(replies[0], AuthenticationError):
        msg = "store.url: Redis wants a password"
        raise ConfigError(msg)
    return replies


def deadline_in(seconds: float) -> float:
    """Return the time of the event loop's clock in so many seconds."""
    return asyncio.get_running_loop().time() + seconds
