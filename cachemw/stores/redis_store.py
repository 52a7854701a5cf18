"""Documents in Redis, on one server or a cluster, shared by all that use the same namespace.

`redis_layout` says what lies where, `redis_rows` what a document looks like, `redis_walk` how all
of them are read, `redis_log` how changes get to other processes, `redis_servers` and
`redis_cluster` which server is asked, `redis_node` when it is asked and when it is left alone,
`redis_connection` how it is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores import redis_rows as rows
from cachemw.stores.base import (
    ChangeBatch,
    ChangeKind,
    Document,
    DocumentStore,
    EntryInfo,
    IndexRow,
    StoreStats,
)
from cachemw.stores.codec import CorruptDocument, DocumentCodec, OtherFormat, UnstorableDocument
from cachemw.stores.evidence import DEFAULT_BOUNDS, Evidence, EvidenceBounds
from cachemw.stores.leases import Leases
from cachemw.stores.redis_evidence import RedisEvidence
from cachemw.stores.redis_layout import (
    PUT,
    REMOVE,
    Layout,
    shard_of,
    time_to_live_ms,
)
from cachemw.stores.redis_leases import RedisLeases
from cachemw.stores.redis_log import RedisLog
from cachemw.stores.redis_servers import Command, Servers, deadline_in
from cachemw.stores.redis_walk import Walk, used_bytes
from cachemw.stores.redis_writes import Writes
from cachemw.stores.settings import StoreSettings

#: A start without Redis waits no longer than this, or than a write may take.
_START_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 5.0
#: Keys in one go.
_BATCH = 256
#: Documents in one go: all of them are in memory at once, and have the time limit of one operation.
_DOCUMENTS = 64
#: Bytes from which compressing and decompressing go to a thread: at less, the way there and back
#: takes longer than the work.
_THREAD_BYTES = 64 << 10

_T = TypeVar("_T")


class RedisStore(DocumentStore):
    """Keeps documents in Redis.

    `clock` returns Unix seconds. `settings.timeout_s` limits a `get`, `write_timeout_s` everything
    else, in the case of many documents each step of up to 256; past them `StoreUnavailable` is
    raised, and at once while Redis is left alone. A `put` that timed out may still be carried out.
    `unique` returns bytes that nobody else gets. `on_corrupt` is called with the key of every
    damaged document met; it is removed and counts as absent.

    How much is kept is for Redis to bound (`maxmemory` with a `volatile-*` policy).
    """

    def __init__(
        self,
        servers: Servers,
        settings: StoreSettings,
        *,
        codec: DocumentCodec,
        clock: Callable[[], float],
        unique: Callable[[], bytes],
        on_corrupt: Callable[[bytes], None],
    ) -> None:
        self._servers = servers
        self._layout = Layout(settings.namespace)
        self._codec = codec
        self._clock = clock
        self._timeout_s = settings.timeout_s
        self._write_timeout_s = settings.write_timeout_s
        self._unique = unique
        self._on_corrupt = on_corrupt
        self._writes = Writes()
        self._log = RedisLog(
            servers,
            self._layout,
            origin=settings.origin,
            kept=settings.changes_kept,
            new_id=lambda: unique().hex(),
        )
        self._walk = Walk(servers, self._layout, clock, self._write_timeout_s, self._discard)

    async def start(self) -> None:
        """Reach Redis; raises `ConfigError` for a URL that cannot be right.

        After a `StoreUnavailable` the store works as soon as Redis can be reached.
        """
        try:
            await self._servers.start(deadline_in(min(_START_TIMEOUT_S, self._write_timeout_s)))
        except ConfigError:
            await self.aclose()  # nothing probes what can never work
            raise

    async def get(self, key: bytes) -> Document | None:
        """Return the document under `key`, or None if there is none, expired or damaged."""
        deadline = deadline_in(self._timeout_s)
        (fields,) = await self._servers.run([self._read(key)], deadline)
        document = await self._decoded(key, fields, deadline)
        return None if document is None or document.expires_at <= self._clock() else document

    async def put(self, document: Document) -> None:
        """Insert or replace the document, and log it: on one server in the same step.

        In a cluster the log lies elsewhere and is written after the document: whoever reads of the
        change must find it.
        """
        deadline = deadline_in(self._write_timeout_s)
        size = len(document.body) + len(document.prompt)
        with self._writes.accept():
            try:
                fields = await _apart(size, rows.encode, self._codec, document)
            except UnstorableDocument as error:
                raise StoreUnavailable(str(error)) from error
            await self._servers.run([self._write(document, fields)], deadline)
            if not self._servers.one_slot:
                record = self._log.record(ChangeKind.PUT, [document.key])
                await self._servers.run([record], deadline)

    async def delete(self, key: bytes) -> bool:
        """Remove the document; returns whether there was one."""
        return await self.delete_many([key]) > 0

    async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
        """Return the live documents among `keys`, in their order."""
        found = []
        for batch in _batches(keys, _DOCUMENTS):
            deadline = deadline_in(self._write_timeout_s)
            replies = await self._servers.run([self._read(key) for key in batch], deadline)
            for key, fields in zip(batch, replies, strict=True):
                document = await self._decoded(key, fields, deadline)
                if document is not None and document.expires_at > self._clock():
                    found.append(document)
        return found

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove documents; the documents of each batch first, then its change is logged."""
        removed = 0
        for batch in _batches(keys):
            deadline = deadline_in(self._write_timeout_s)
            with self._writes.accept():
                removed += await self._remove(batch, deadline)
        return removed

    def entries(self) -> AsyncIterator[list[EntryInfo]]:
        """Yield what is known of every live document, shard by shard, in batches."""
        return self._walk.entries()

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        """Return what is known of the live documents among `keys`."""
        found = []
        for batch in _batches(keys):
            found += await self._walk.entries_of(batch)
        return found

    async def newest(self) -> str:
        """Return the cursor after the newest change."""
        return await self._log.newest(deadline_in(self._write_timeout_s))

    async def changes(self, after: str, limit: int) -> ChangeBatch:
        """Return up to `limit` changes after the cursor `after`."""
        return await self._log.changes(after, limit, deadline_in(self._write_timeout_s))

    async def rows_of(self, keys: Sequence[bytes], fingerprint: str) -> list[IndexRow]:
        """Return the index rows of those `keys` that are live and have `fingerprint`."""
        found = []
        for batch in _batches(keys):
            found += await self._walk.rows_of(batch, fingerprint)
        return found

    def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield live rows embedded with `fingerprint`, shard by shard, in batches."""
        return self._walk.index_rows(fingerprint)

    async def remove_expired(self) -> int:
        """Take what has expired out of the indexes, and remove it where Redis has not yet."""
        return await self._walk.remove_expired()

    async def stats(self) -> StoreStats:
        """Return the live documents, and the memory Redis uses for all it holds.

        Redis does not know the bytes of our keys alone; of documents before compression nothing
        is known, so both sizes are what it uses.
        """
        deadline = deadline_in(self._write_timeout_s)
        used = used_bytes(await self._servers.run_everywhere(("INFO", "memory"), deadline))
        return StoreStats(await self._walk.count(deadline), used, used)

    def leases(self, seconds: float) -> Leases:
        """Return leases of `seconds` that all processes on this Redis and namespace share."""
        return RedisLeases(
            self._servers,
            self._layout,
            seconds=seconds,
            timeout_s=self._timeout_s,
            token=self._unique,
        )

    def evidence(self, bounds: EvidenceBounds = DEFAULT_BOUNDS) -> Evidence:
        """Return the labels and served hits of all processes on this Redis and namespace."""
        return RedisEvidence(
            self._servers,
            self._layout.namespace,
            self._writes,
            bounds,
            clock=self._clock,
            timeout_s=self._write_timeout_s,
        )

    async def aclose(self) -> None:
        """Finish what was accepted, then close; may be called again."""
        await self._writes.aclose(_CLOSE_TIMEOUT_S)
        await self._servers.aclose(_CLOSE_TIMEOUT_S)

    def _read(self, key: bytes) -> Command:
        name = self._layout.document(key)
        return Command(name, ("HMGET", name, b"d", b"e"))

    def _write(self, document: Document, fields: rows.Fields) -> Command:
        key = document.key
        keys = [self._layout.document(key), self._layout.index(shard_of(key))]
        if self._servers.one_slot:
            keys.append(self._layout.log)
        return Command.of_script(
            PUT,
            keys,
            fields.document,
            fields.info,
            fields.embedding,
            time_to_live_ms(document.expires_at, self._clock()),
            repr(document.expires_at),
            key,
            self._log.kept,
            self._log.origin,
        )

    async def _decoded(
        self, key: bytes, fields: Sequence[bytes | None], deadline: float
    ) -> Document | None:
        data, embedding = fields
        if data is None:
            return None
        try:
            return await _apart(len(data), rows.decode, self._codec, key, data, embedding or b"")
        except OtherFormat:
            # Another version of cachemw may be using the same Redis: leave its documents alone.
            return None
        except CorruptDocument:
            await self._discard([key], deadline)
            return None

    async def _discard(self, keys: Sequence[bytes], deadline: float) -> None:
        """Report and remove damaged documents; raises nothing: to the caller they are absent."""
        for key in keys:
            self._on_corrupt(key)
        # One that cannot be removed now is met again, and reported again.
        with suppress(StoreUnavailable):
            await self._remove(keys, deadline)

    async def _remove(self, keys: Sequence[bytes], deadline: float) -> int:
        shards: dict[int, list[bytes]] = {}
        for key in keys:
            shards.setdefault(shard_of(key), []).append(key)
        removals = [
            self._layout.of_shard(REMOVE, shard, members) for shard, members in shards.items()
        ]
        record = self._log.record(ChangeKind.REMOVE, keys)
        if self._servers.one_slot:
            *counts, _ = await self._servers.run([*removals, record], deadline)
        else:
            counts = await self._servers.run(removals, deadline)
            await self._servers.run([record], deadline)
        return sum(counts)


def _batches(keys: Sequence[bytes], size: int = _BATCH) -> list[Sequence[bytes]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]


async def _apart(size: int, work: Callable[..., _T], *arguments: object) -> _T:
    """Return `work(*arguments)`, from a thread where `size` bytes would hold up the loop."""
    if size < _THREAD_BYTES:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)
