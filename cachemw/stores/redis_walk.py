"""Reading all documents of a Redis store, a page at a time, and removing what has expired.

Redis is never asked for more than a page: it carries out one command at a time, and everyone else
waits for it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from cachemw.stores import redis_rows as rows
from cachemw.stores.base import EntryInfo, IndexRow
from cachemw.stores.codec import CorruptDocument, OtherFormat
from cachemw.stores.redis_layout import (
    FORGET_EVICTED,
    PAGE,
    REMOVE_EXPIRED,
    SHARDS,
    Layout,
)
from cachemw.stores.redis_servers import Command, Servers, deadline_in

_PAGE = 256

#: Where a document stands in its shard: by its end, then by its key.
_Position = tuple[float, bytes]

_T = TypeVar("_T", EntryInfo, IndexRow)


class Walk:
    """Goes through the shards. Each step takes `timeout_s` at most, or raises `StoreUnavailable`.

    `clock` returns Unix seconds; `discard` removes the documents under damaged fields.
    """

    def __init__(
        self,
        servers: Servers,
        layout: Layout,
        clock: Callable[[], float],
        timeout_s: float,
        discard: Callable[[Sequence[bytes], float], Awaitable[None]],
    ) -> None:
        self._servers = servers
        self._layout = layout
        self._clock = clock
        self._timeout_s = timeout_s
        self._discard = discard

    def entries(self) -> AsyncIterator[list[EntryInfo]]:
        """Yield what is known of every live document."""
        return self._all(b"m", rows.decode_info)

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        """Return what is known of the live documents among `keys`."""
        found, _ = await self._fields(keys, b"m", rows.decode_info)
        return found

    async def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield the index row of every live document with `fingerprint`."""
        async for found in self._all(b"e", rows.decode_row):
            if matching := _with_fingerprint(found, fingerprint):
                yield matching

    async def rows_of(self, keys: Sequence[bytes], fingerprint: str) -> list[IndexRow]:
        """Return the index rows of those `keys` that are live and have `fingerprint`."""
        found, _ = await self._fields(keys, b"e", rows.decode_row)
        return _with_fingerprint(found, fingerprint)

    async def count(self, deadline: float) -> int:
        """Return how many live documents there are."""
        live = f"({self._clock()!r}"
        indexes = [self._layout.index(shard) for shard in SHARDS]
        counts = [Command(index, ("ZCOUNT", index, live, "+inf")) for index in indexes]
        return sum(await self._servers.run(counts, deadline))

    async def remove_expired(self) -> int:
        """Remove what has expired; returns how many documents went here and not elsewhere."""
        now = repr(self._clock())
        removed = 0
        shards: Sequence[int] = SHARDS
        while shards:
            deadline = deadline_in(self._timeout_s)
            pages = await self._servers.run([self._expired(s, now) for s in shards], deadline)
            found = [(s, page) for s, page in zip(shards, pages, strict=True) if page]
            for shard, page in found:
                command = self._layout.of_shard(REMOVE_EXPIRED, shard, page, now)
                (count,) = await self._servers.run([command], deadline_in(self._timeout_s))
                removed += count
            shards = [shard for shard, page in found if len(page) == _PAGE]
        return removed

    async def _all(
        self, field: bytes, decode: Callable[[bytes, bytes], _T]
    ) -> AsyncIterator[list[_T]]:
        indexes = [self._layout.index(shard) for shard in SHARDS]
        ask = [Command(index, ("ZRANGE", index, -1, -1, "WITHSCORES")) for index in indexes]
        replies = await self._servers.run(ask, deadline_in(self._timeout_s))
        for shard, reply in zip(SHARDS, replies, strict=True):
            if reply:
                async for keys in self._keys(shard, _position(*reply)):
                    found, evicted = await self._fields(keys, field, decode)
                    await self._forget(shard, evicted)
                    if found:
                        yield found

    async def _keys(self, shard: int, last: _Position) -> AsyncIterator[list[bytes]]:
        """Yield the keys of a shard's live documents up to `last` in pages, each key once.

        A page begins after the last key of the one before. Where that has gone or got another end,
        it begins with the first key of the same end, and what has been seen is left out. `last` is
        where the shard ended at first: what is put meanwhile must not keep us here for ever.
        """
        seen: set[bytes] = set()
        key, end, bound = b"", b"", repr(self._clock()).encode()
        index = self._layout.index(shard)
        while True:
            command = Command.of_script(PAGE, [index], key, end, bound, _PAGE)
            (reply,) = await self._servers.run([command], deadline_in(self._timeout_s))
            page = [_position(*pair) for pair in zip(reply[::2], reply[1::2], strict=True)]
            wanted = [position for position in page if position <= last]
            if new := [member for _, member in wanted if member not in seen]:
                seen.update(new)
                yield new
            if not page or len(wanted) < len(page):
                return
            key, end = reply[-2:]
            bound = b"(" + end

    async def _fields(
        self, keys: Sequence[bytes], field: bytes, decode: Callable[[bytes, bytes], _T]
    ) -> tuple[list[_T], list[bytes]]:
        """Return what `field` holds of the live documents among `keys`, and the keys of none."""
        deadline = deadline_in(self._timeout_s)
        names = [self._layout.document(key) for key in keys]
        replies = await self._servers.run([Command(n, ("HGET", n, field)) for n in names], deadline)
        now = self._clock()
        found: list[_T] = []
        corrupt = []
        for key, data in zip(keys, replies, strict=True):
            try:
                if data and (row := decode(key, data)).expires_at > now:
                    found.append(row)
            except OtherFormat:
                continue
            except CorruptDocument:
                corrupt.append(key)
        if corrupt:
            await self._discard(corrupt, deadline)
        return found, [key for key, data in zip(keys, replies, strict=True) if data is None]

    async def _forget(self, shard: int, keys: Sequence[bytes]) -> None:
        """Take documents out of the index that Redis has evicted."""
        if keys:
            command = self._layout.of_shard(FORGET_EVICTED, shard, keys)
            await self._servers.run([command], deadline_in(self._timeout_s))

    def _expired(self, shard: int, now: str) -> Command:
        index = self._layout.index(shard)
        return Command(index, ("ZRANGEBYSCORE", index, "-inf", now, "LIMIT", 0, _PAGE))


def _position(key: bytes, end: bytes) -> _Position:
    return float(end), key


def used_bytes(infos: Sequence[Any]) -> int:
    """Return the memory in use according to the replies to INFO."""
    found = [re.search(rb"^used_memory:(\d+)", info, re.MULTILINE) for info in infos]
    return sum(int(match[1]) for match in found if match)


def _with_fingerprint(found: Sequence[IndexRow], fingerprint: str) -> list[IndexRow]:
    return [row for row in found if row.embedded.fingerprint == fingerprint]
