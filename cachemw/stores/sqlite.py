"""Documents in one SQLite file, shared by every process on the machine that opens it.

Threads own a connection each and are fed by a queue; the event loop only hands jobs over:

    writer   takes everything that queued up while its last transaction ran into the next one
             (group commit), so that many small answers cost one commit
    reader   answers gets and steps of scans; WAL lets it read while the writer writes

and a third one makes checkpoints (`sqlite_checkpoint`).

With WAL and synchronous=NORMAL a committed row survives the death of the process at any
instruction; a power failure can take the last transactions with it, but never leaves half of one.

`sqlite_thread` is the threads and their queues, `sqlite_file` and `sqlite_schema` how the file
comes about and is opened; what is done on a connection is in `sqlite_rows` (one document),
`sqlite_scans` (many) and `sqlite_log` (changes).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TypeVar

from cachemw.errors import StoreUnavailable
from cachemw.stores import sqlite_log, sqlite_scans
from cachemw.stores import sqlite_rows as rows
from cachemw.stores.base import (
    ChangeBatch,
    Document,
    DocumentStore,
    EntryInfo,
    IndexRow,
    StoreStats,
)
from cachemw.stores.codec import DocumentCodec
from cachemw.stores.evidence import DEFAULT_BOUNDS, Evidence, EvidenceBounds
from cachemw.stores.settings import StoreSettings
from cachemw.stores.sqlite_checkpoint import Checkpointer
from cachemw.stores.sqlite_evidence import SqliteEvidence
from cachemw.stores.sqlite_file import open_file
from cachemw.stores.sqlite_scans import Step
from cachemw.stores.sqlite_thread import ConnectionThread, run_each, run_transaction

#: Opening may have to wait for a process that is creating, recovering or closing the file.
_START_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 10.0

_T = TypeVar("_T")
_Position = TypeVar("_Position")


class SqliteStore(DocumentStore):
    """Keeps documents in the SQLite file at `settings.path`.

    `clock` returns Unix seconds. `timeout_s` limits a `get`, `write_timeout_s` everything else
    but `start` and `aclose`, which take 10 s and three times 10 s at most; past them, or with
    `queue_limit` operations or 64 MiB waiting already, `StoreUnavailable` is raised. A `put` that
    timed out may still be carried out. `max_bytes` bounds the stored bytes: beyond, the oldest
    documents go. The file itself is about an eighth larger, keeps its largest size and has a log of
    up to 64 MiB beside it. Changes are recorded as `origin`'s; `changes_kept` of them are kept.
    `on_corrupt` is called on the event loop, with the key, for every damaged row met; the row is
    deleted and counts as absent.

    `start` brings a file of an older schema up to date. It raises `ConfigError` for one that is not
    this store's, or newer, and never deletes one.
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        codec: DocumentCodec,
        clock: Callable[[], float],
        on_corrupt: Callable[[bytes], None],
    ) -> None:
        self._codec = codec
        self._clock = clock
        self._on_corrupt = on_corrupt
        self._max_bytes = settings.max_bytes
        self._timeout_s = settings.timeout_s
        self._write_timeout_s = settings.write_timeout_s
        self._log = sqlite_log.ChangeWriter(settings.origin, settings.changes_kept)
        evict = partial(rows.evict, log=self._log, max_bytes=settings.max_bytes)
        # SQLite may wait for another process as long as the caller would, no longer.
        connect = partial(open_file, settings.path, open_timeout_s=_START_TIMEOUT_S)
        self._writer = ConnectionThread(
            "cachemw-sqlite-writer",
            partial(connect, busy_timeout_s=settings.write_timeout_s),
            partial(run_transaction, before_commit=evict),
            batch=rows.BATCH,
            queue_limit=settings.queue_limit,
        )
        self._reader = ConnectionThread(
            "cachemw-sqlite-reader",
            partial(connect, busy_timeout_s=settings.timeout_s),
            run_each,
            batch=1,
            queue_limit=settings.queue_limit,
        )
        self._checkpointer = Checkpointer(partial(connect, busy_timeout_s=settings.write_timeout_s))

    async def start(self) -> None:
        """Open the file, creating it (0600) and its directory (0700) where absent.

        An empty file is filled, and keeps its mode. Raises `ConfigError` for a path or file that
        cannot be used and `StoreUnavailable` for a file that cannot be read now.
        """
        deadline = _deadline(_START_TIMEOUT_S)
        # One after the other: the writer creates the schema that the reader expects.
        await self._writer.start(deadline)
        try:
            await self._reader.start(deadline)
            await self._checkpointer.start(deadline)
        except BaseException:
            self._writer.stop()
            self._reader.stop()
            raise

    async def get(self, key: bytes) -> Document | None:
        """Return the document under `key`, or None if there is none, expired or damaged."""
        deadline = _deadline(self._timeout_s)
        read = partial(rows.read, codec=self._codec, key=key, now=self._clock())
        try:
            return await self._reader.call(read, deadline)
        except rows.CorruptRow as corrupt:
            await self._discard([corrupt], deadline)
            return None

    async def put(self, document: Document) -> None:
        """Insert or replace the document; it is committed when this returns."""
        insert = partial(
            rows.insert,
            codec=self._codec,
            log=self._log,
            document=document,
            max_bytes=self._max_bytes,
        )
        await self._write(insert, size=len(document.body) + len(document.prompt))

    async def delete(self, key: bytes) -> bool:
        """Remove the document; returns whether there was one."""
        return await self.delete_many([key]) > 0

    async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
        """Return the live documents among `keys`, in their order."""
        read = partial(sqlite_scans.documents, codec=self._codec, keys=keys)
        return [document async for step in self._scan(read, 0) for document in step]

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove documents; each batch is one transaction and one change."""
        removed = 0
        for start in range(0, len(keys), rows.BATCH):
            batch = keys[start : start + rows.BATCH]
            removed += await self._write(partial(rows.delete, log=self._log, keys=batch))
        return removed

    def entries(self) -> AsyncIterator[list[EntryInfo]]:
        """Yield what is known of every live document, in the order of keys, in batches."""
        return self._scan(partial(sqlite_scans.entries, codec=self._codec), b"")

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        """Return what is known of the live documents among `keys`."""
        read = partial(sqlite_scans.entries_of, codec=self._codec, keys=keys)
        return [info async for step in self._scan(read, 0) for info in step]

    async def newest(self) -> str:
        """Return the cursor after the newest change."""
        return await self._read(sqlite_log.newest)

    async def changes(self, after: str, limit: int) -> ChangeBatch:
        """Return up to `limit` changes after the cursor `after`."""
        return await self._read(partial(sqlite_log.changes, after=after, limit=limit))

    async def rows_of(self, keys: Sequence[bytes], fingerprint: str) -> list[IndexRow]:
        """Return the index rows of those `keys` that are live and have `fingerprint`."""
        read = partial(sqlite_scans.index_rows_of, keys=keys, fingerprint=fingerprint)
        return [row async for step in self._scan(read, 0) for row in step]

    def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield live rows embedded with `fingerprint`, oldest first, in batches.

        Rows written meanwhile are seen if they come after the batch reached.
        """
        return self._scan(partial(sqlite_scans.index_rows, fingerprint=fingerprint), 0)

    async def remove_expired(self) -> int:
        """Remove what has expired, a batch at a time; returns how many documents went."""
        now = self._clock()
        removed = 0
        while True:
            batch = await self._write(partial(rows.remove_expired, now=now))
            removed += batch
            if batch < rows.BATCH:
                return removed

    async def stats(self) -> StoreStats:
        """Return the size of the store, counting what has expired but is still there."""
        return await self._read(rows.totals)

    def evidence(self, bounds: EvidenceBounds = DEFAULT_BOUNDS) -> Evidence:
        """Return the labels and served hits in this file."""
        return SqliteEvidence(self._read, self._write, self._clock, bounds)

    async def aclose(self) -> None:
        """Carry out what was accepted, then close; may be called again."""
        async with AsyncExitStack() as stack:
            for thread in (self._reader, self._checkpointer, self._writer):
                stack.push_async_callback(thread.aclose, _CLOSE_TIMEOUT_S)

    async def _scan(
        self, read: Callable[..., Step[_T, _Position]], start: _Position
    ) -> AsyncIterator[list[_T]]:
        """Yield what `read` finds, step by step, and remove what is damaged.

        Every step is a transaction of its own, so a slow consumer holds up no checkpoint.
        """
        position: _Position | None = start
        while position is not None:
            step = await self._read(partial(read, start=position, now=self._clock()))
            await self._discard(step.corrupt, _deadline(self._write_timeout_s))
            position = step.position
            if step.found:
                yield step.found

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        return await self._reader.call(work, _deadline(self._write_timeout_s))

    async def _write(self, work: Callable[[sqlite3.Connection], _T], size: int = 0) -> _T:
        result = await self._writer.call(work, _deadline(self._write_timeout_s), size)
        self._checkpointer.wrote(size)
        return result

    async def _discard(self, corrupt: Sequence[rows.CorruptRow], deadline: float) -> None:
        """Report and delete damaged rows; raises nothing, for to the caller they are absent."""
        if not corrupt:
            return
        for row in corrupt:
            self._on_corrupt(row.key)
        # A row that cannot be deleted now is met again, and reported again.
        with suppress(StoreUnavailable):
            await self._writer.call(partial(rows.discard, log=self._log, rows=corrupt), deadline)


def _deadline(seconds: float) -> float:
    """Return the time of the event loop's clock in so many seconds."""
    return asyncio.get_running_loop().time() + seconds
