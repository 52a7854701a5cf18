"""Documents in one SQLite file, shared by every process on the machine that opens it.

Two threads own a connection each and are fed by a queue; the event loop only hands jobs over:

    writer   takes everything that queued up while its last transaction ran into the next one
             (group commit), so that many small answers cost one commit
    reader   answers gets and index batches; WAL lets it read while the writer writes

With WAL and synchronous=NORMAL a committed row survives the death of the process at any
instruction; a power failure can take the last transactions with it, but never leaves half of one.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import tempfile
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.base import Document, DocumentStore, Embedded, IndexRow, StoreStats
from cachemw.stores.codec import (
    CorruptDocument,
    DocumentCodec,
    EncodedDocument,
    OtherFormat,
    UnstorableDocument,
)

#: Raised with every change of `_SCHEMA`; kept in `PRAGMA user_version`.
SCHEMA_VERSION = 1

#: Marks the file as ours in `PRAGMA application_id`: "camw".
_APPLICATION_ID = 0x63616D77

#: Totals are kept by triggers: they are exact across processes and cost one row per change, where
#: COUNT and SUM would read the whole file.
_SCHEMA = (
    """CREATE TABLE documents (
        id           INTEGER PRIMARY KEY,
        key          BLOB NOT NULL UNIQUE,
        expires_at   REAL NOT NULL,
        raw_bytes    INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL,
        fingerprint  BLOB,
        partition    BLOB,
        vector       BLOB,
        vector_crc   INTEGER,
        document     BLOB NOT NULL
    )""",
    "CREATE INDEX documents_expires_at ON documents (expires_at)",
    """CREATE TABLE totals (
        entries      INTEGER NOT NULL,
        raw_bytes    INTEGER NOT NULL,
        stored_bytes INTEGER NOT NULL
    )""",
    "INSERT INTO totals VALUES (0, 0, 0)",
    """CREATE TRIGGER documents_inserted AFTER INSERT ON documents BEGIN
        UPDATE totals SET entries = entries + 1, raw_bytes = raw_bytes + new.raw_bytes,
                          stored_bytes = stored_bytes + new.stored_bytes;
    END""",
    """CREATE TRIGGER documents_deleted AFTER DELETE ON documents BEGIN
        UPDATE totals SET entries = entries - 1, raw_bytes = raw_bytes - old.raw_bytes,
                          stored_bytes = stored_bytes - old.stored_bytes;
    END""",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_INSERT = """
INSERT INTO documents (key, expires_at, raw_bytes, stored_bytes,
                       fingerprint, partition, vector, vector_crc, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
#: Ids rise with age: a replaced document gets a new one.
_OLDEST = "SELECT id, stored_bytes FROM documents ORDER BY id LIMIT ?"
_REMOVE_EXPIRED = """
DELETE FROM documents WHERE id IN (SELECT id FROM documents WHERE expires_at <= ? LIMIT ?)
"""
_GET = """
SELECT id, document, fingerprint, partition, vector, vector_crc
FROM documents WHERE key = ? AND expires_at > ?
"""
#: Where the next batch ends. It bounds the rows looked at, not the rows found: a fingerprint that
#: matches nothing must not hold the reader for the length of the whole file.
_BATCH_END = "SELECT MAX(id) FROM (SELECT id FROM documents WHERE id > ? ORDER BY id LIMIT ?)"
_INDEX_ROWS = """
SELECT id, key, expires_at, fingerprint, partition, vector, vector_crc FROM documents
WHERE id > ? AND id <= ? AND fingerprint = ? AND expires_at > ? ORDER BY id
"""

#: Rows per transaction of anything that touches many: other writers get their turn in between.
_BATCH = 256
#: Oldest rows that one transaction may evict: more than it can insert, so eviction keeps up.
_EVICTED_AT_ONCE = 4 * _BATCH
#: Bytes of a row besides its blobs: record header, key's index entry, expiry's index entry.
_ROW_OVERHEAD = 128
#: Beyond this the log is cut back after a checkpoint; a burst must not keep its size for ever.
_WAL_LIMIT = 64 << 20
#: Bytes of documents that may wait: `queue_limit` of the largest ones would be gigabytes.
_QUEUED_BYTES = 64 << 20
_CLOSE_TIMEOUT_S = 10.0

#: Errors of opening that waiting does not cure.
_UNUSABLE = (
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
)
_WAY_OUT = (
    "Nothing in it was changed: move it away to start with an empty cache, or set another path."
)

_T = TypeVar("_T")


class SqliteStore(DocumentStore):
    """Keeps documents in the SQLite file at `path`.

    `clock` returns Unix seconds. `timeout_s` limits a `get`, `write_timeout_s` everything else;
    past them, or with `queue_limit` operations or 64 MiB waiting already, `StoreUnavailable` is
    raised.
    A `put` that timed out may still be carried out. `max_bytes` bounds the stored bytes: beyond,
    the oldest documents go. The file itself is about an eighth larger, keeps its largest size and
    has a log of up to 64 MiB beside it. `on_corrupt` is called on the event loop, with the key,
    for every damaged row met; the row is deleted and counts as absent.

    `start` raises `ConfigError` for a file that is not this schema's; it never deletes one.
    """

    def __init__(
        self,
        path: Path,
        *,
        codec: DocumentCodec,
        clock: Callable[[], float],
        max_bytes: int,
        timeout_s: float,
        write_timeout_s: float,
        queue_limit: int,
        on_corrupt: Callable[[bytes], None],
    ) -> None:
        self._path = path
        self._codec = codec
        self._clock = clock
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._write_timeout_s = write_timeout_s
        self._on_corrupt = on_corrupt
        # SQLite may wait for another process as long as the caller would, no longer.
        self._writer = _Thread(
            "cachemw-sqlite-writer",
            lambda: _open(path, write_timeout_s),
            self._run_transaction,
            batch=_BATCH,
            queue_limit=queue_limit,
        )
        self._reader = _Thread(
            "cachemw-sqlite-reader",
            lambda: _open(path, timeout_s),
            _run_each,
            batch=1,
            queue_limit=queue_limit,
        )

    async def start(self) -> None:
        """Open the file, creating it (0600) and its directory (0700) where absent.

        Raises `ConfigError` for a path or file that cannot be used and `StoreUnavailable` for a
        file that cannot be read now.
        """
        # One after the other: the writer creates the schema that the reader expects.
        for thread in (self._writer, self._reader):
            try:
                await thread.start()
            except BaseException:
                await self.aclose()
                raise

    async def get(self, key: bytes) -> Document | None:
        """Return the document under `key`, or None if there is none, expired or damaged."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        now = self._clock()
        try:
            return await self._reader.call(lambda c: self._read(c, key, now), deadline)
        except _CorruptRow as corrupt:
            await self._discard([corrupt], deadline)
            return None

    async def put(self, document: Document) -> None:
        """Insert or replace the document; it is committed when this returns."""
        size = len(document.body) + len(document.prompt)
        await self._write(lambda connection: self._insert(connection, document), size)

    async def delete(self, key: bytes) -> bool:
        """Remove the document; returns whether there was one."""
        return await self._write(lambda connection: _delete(connection, key))

    async def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield live rows embedded with `fingerprint`, oldest first, in batches.

        Every batch is a transaction of its own, so a slow consumer holds up no checkpoint; rows
        written meanwhile are seen if they come after the batch reached.
        """
        loop = asyncio.get_running_loop()
        position: int | None = 0
        while position is not None:
            deadline = loop.time() + self._write_timeout_s
            read = partial(_index_batch, after=position, fingerprint=fingerprint, now=self._clock())
            rows, corrupt, position = await self._reader.call(read, deadline)
            await self._discard(corrupt, deadline)
            if rows:
                yield rows

    async def remove_expired(self) -> int:
        """Remove what has expired, a batch at a time; returns how many documents went."""
        now = self._clock()
        removed = 0
        while True:
            batch = await self._write(lambda c: c.execute(_REMOVE_EXPIRED, (now, _BATCH)).rowcount)
            removed += batch
            if batch < _BATCH:
                return removed

    async def stats(self) -> StoreStats:
        """Return the size of the store, counting what has expired but is still there."""
        deadline = asyncio.get_running_loop().time() + self._write_timeout_s
        return await self._reader.call(_totals, deadline)

    async def aclose(self) -> None:
        """Carry out what was accepted, then close; may be called again."""
        try:
            await self._writer.aclose(_CLOSE_TIMEOUT_S)
        finally:
            await self._reader.aclose(_CLOSE_TIMEOUT_S)

    async def _write(self, work: Callable[[sqlite3.Connection], _T], size: int = 0) -> _T:
        deadline = asyncio.get_running_loop().time() + self._write_timeout_s
        return await self._writer.call(work, deadline, size)

    async def _discard(self, corrupt: Sequence[_CorruptRow], deadline: float) -> None:
        """Report and delete damaged rows; raises nothing, for to the caller they are absent."""
        if not corrupt:
            return
        ids = [(row.id,) for row in corrupt]
        for row in corrupt:
            self._on_corrupt(row.key)
        # A row that cannot be deleted now is met again, and reported again.
        with suppress(StoreUnavailable):
            await self._writer.call(
                lambda c: c.executemany("DELETE FROM documents WHERE id = ?", ids), deadline
            )

    # What follows runs in the threads.

    def _read(self, connection: sqlite3.Connection, key: bytes, now: float) -> Document | None:
        row = connection.execute(_GET, (key, now)).fetchone()
        if row is None:
            return None
        row_id, data, *embedding = row
        try:
            if not isinstance(data, bytes):
                raise _CorruptRow(row_id, key)
            document = self._codec.decode(key, data, _embedded(key, *embedding))
        except OtherFormat:
            # Another version of cachemw may be using the file right now: leave its rows alone.
            # The answer that this miss leads to replaces them.
            return None
        except CorruptDocument as error:
            raise _CorruptRow(row_id, key) from error
        # The column is only there to be searched; the document's own time is the checked one.
        return document if document.expires_at > now else None

    def _insert(self, connection: sqlite3.Connection, document: Document) -> None:
        try:
            encoded = self._codec.encode(document)
        except UnstorableDocument as error:
            raise StoreUnavailable(str(error)) from error
        row = _row(document, encoded)
        stored_bytes = row[3]
        if stored_bytes > self._max_bytes:
            msg = f"document of {stored_bytes} stored bytes, the store holds {self._max_bytes}"
            raise StoreUnavailable(msg)
        _delete(connection, document.key)
        connection.execute(_INSERT, row)

    def _run_transaction(self, connection: sqlite3.Connection, jobs: Sequence[_Job[Any]]) -> None:
        """Carry out all jobs in one transaction: all of them are kept, or none."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(connection)
            self._evict(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            for job in jobs:
                job.error = _unavailable(error)
            # If even this fails the next BEGIN fails too, and reports it.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    def _evict(self, connection: sqlite3.Connection) -> None:
        """Delete the oldest rows until the file is within its bound, or enough for one turn."""
        excess = _totals(connection).stored_bytes - self._max_bytes
        if excess <= 0:
            return
        newest_evicted = 0
        for row_id, stored_bytes in connection.execute(_OLDEST, (_EVICTED_AT_ONCE,)):
            newest_evicted = row_id
            excess -= stored_bytes
            if excess <= 0:
                break
        connection.execute("DELETE FROM documents WHERE id <= ?", (newest_evicted,))


class _CorruptRow(Exception):
    """Carries a damaged row from the reader's thread to the event loop."""

    def __init__(self, row_id: int, key: bytes) -> None:
        super().__init__(row_id)
        self.id = row_id
        self.key = key


def _row(document: Document, encoded: EncodedDocument) -> tuple[Any, ...]:
    """Return the parameters of `_INSERT`."""
    embedding: tuple[bytes | int | None, ...] = (None, None, None, None)
    embedded_bytes = 0
    if document.embedded is not None:
        fingerprint = document.embedded.fingerprint.encode()
        partition = document.embedded.partition
        vector = document.embedded.vector.astype("<f4").tobytes()
        crc = _embedding_crc(document.key, fingerprint, partition, vector)
        embedding = (fingerprint, partition, vector, crc)
        embedded_bytes = len(fingerprint) + len(partition) + len(vector)
    stored_bytes = len(document.key) + embedded_bytes + len(encoded.data) + _ROW_OVERHEAD
    sizes = (encoded.raw_bytes + embedded_bytes, stored_bytes)
    return (document.key, document.expires_at, *sizes, *embedding, encoded.data)


def _embedding_crc(key: bytes, fingerprint: bytes, partition: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(partition, zlib.crc32(fingerprint, zlib.crc32(key))))


def _embedded(
    key: bytes, fingerprint: object, partition: object, vector: object, crc: object
) -> Embedded | None:
    """Return the embedding kept in a row, if it has one; raises `CorruptDocument`."""
    if fingerprint is None:
        return None
    # SQLite types values, not columns: damage can turn a blob into anything.
    if not (
        isinstance(fingerprint, bytes)
        and isinstance(partition, bytes)
        and isinstance(vector, bytes)
        and crc == _embedding_crc(key, fingerprint, partition, vector)
    ):
        msg = "checksum mismatch in an embedding"
        raise CorruptDocument(msg)
    values = np.frombuffer(vector, "<f4").astype(np.float32, copy=False)
    return Embedded(partition, fingerprint.decode(), values)


def _delete(connection: sqlite3.Connection, key: bytes) -> bool:
    return connection.execute("DELETE FROM documents WHERE key = ?", (key,)).rowcount > 0


def _totals(connection: sqlite3.Connection) -> StoreStats:
    return StoreStats(
        *connection.execute("SELECT entries, raw_bytes, stored_bytes FROM totals").fetchone()
    )


def _index_batch(
    connection: sqlite3.Connection, *, after: int, fingerprint: str, now: float
) -> tuple[list[IndexRow], list[_CorruptRow], int | None]:
    """Return the rows of the batch after id `after`, the damaged ones, and the batch's last id.

    The last id is None when there is nothing beyond `after`.
    """
    (end,) = connection.execute(_BATCH_END, (after, _BATCH)).fetchone()
    rows: list[IndexRow] = []
    corrupt: list[_CorruptRow] = []
    if end is None:
        return rows, corrupt, None
    parameters = (after, end, fingerprint.encode(), now)
    for row_id, key, expires_at, *embedding in connection.execute(_INDEX_ROWS, parameters):
        try:
            embedded = _embedded(key, *embedding)
        except CorruptDocument:
            corrupt.append(_CorruptRow(row_id, key))
            continue
        if embedded is not None:
            rows.append(IndexRow(key, expires_at, embedded))
    return rows, corrupt, end


def _unavailable(error: sqlite3.Error) -> StoreUnavailable:
    # SQLite's messages name tables and conditions, never values.
    failure = StoreUnavailable(f"sqlite: {error}")
    failure.__cause__ = error
    return failure


@dataclass(slots=True, eq=False)
class _Job(Generic[_T]):
    """Work for a thread. `result` and `error` are the thread's until it hands the job back."""

    work: Callable[[sqlite3.Connection], _T]
    future: asyncio.Future[_T]
    size: int
    result: _T | None = None
    error: Exception | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Work, unless nobody waits any more. Raises `sqlite3.Error`; keeps other errors."""
        if self.future.done():
            return
        try:
            self.result = self.work(connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            self.error = error

    def settle(self) -> None:
        """On the event loop: pass the outcome to whoever waits."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(cast("_T", self.result))

    def expire(self) -> None:
        """On the event loop: the time limit has passed."""
        if not self.future.done():
            self.future.set_exception(StoreUnavailable("the document store took too long"))


def _run_each(connection: sqlite3.Connection, jobs: Sequence[_Job[Any]]) -> None:
    """Carry out jobs that only read, each on its own."""
    for job in jobs:
        try:
            job.run(connection)
        except sqlite3.Error as error:
            job.error = _unavailable(error)


class _Thread:
    """A thread that owns one connection and is fed from the event loop.

    `run` is called in the thread with up to `batch` jobs at a time: all that were waiting.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], sqlite3.Connection],
        run: Callable[[sqlite3.Connection, Sequence[_Job[Any]]], None],
        *,
        batch: int,
        queue_limit: int,
    ) -> None:
        self._name = name
        self._connect = connect
        self._run = run
        self._batch = batch
        self._queue_limit = queue_limit
        self._queue: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._pending = 0
        self._pending_bytes = 0
        self._accepting = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Start the thread and wait for its connection; raises what `connect` raises."""
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        started: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a process that dies without aclose() must not hang on an idle thread.
        threading.Thread(
            target=self._main, args=(self._loop, started), name=self._name, daemon=True
        ).start()
        await started
        self._accepting = True

    async def call(
        self, work: Callable[[sqlite3.Connection], _T], deadline: float, size: int = 0
    ) -> _T:
        """Return `work(connection)`, carried out in the thread; `size` is the bytes it carries.

        Raises what it raises, and `StoreUnavailable` past `deadline` (of the loop's clock), with
        too many jobs waiting, or when the thread does not run.
        """
        if not self._accepting or self._loop is None:
            msg = "the document store is not open"
            raise StoreUnavailable(msg)
        # With nothing waiting any size is let in: how large one may be is not decided here.
        too_large = self._pending > 0 and self._pending_bytes + size > _QUEUED_BYTES
        if self._pending >= self._queue_limit or too_large:
            msg = (
                f"{self._pending} operations with {self._pending_bytes} bytes wait for the "
                "document store already"
            )
            raise StoreUnavailable(msg)
        future: asyncio.Future[_T] = self._loop.create_future()
        job = _Job(work, future, size)
        self._pending += 1
        self._pending_bytes += size
        self._queue.put(job)
        timer = self._loop.call_at(deadline, job.expire)
        try:
            return await future
        finally:
            timer.cancel()

    async def aclose(self, timeout_s: float) -> None:
        """Carry out what is queued, close the connection and end the thread."""
        if self._accepting:
            self._accepting = False
            self._queue.put(None)
        if self._finished is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._finished), timeout_s)
        except TimeoutError:
            msg = f"the document store did not close within {timeout_s} s"
            raise StoreUnavailable(msg) from None

    def _main(self, loop: asyncio.AbstractEventLoop, started: asyncio.Future[None]) -> None:
        try:
            try:
                connection = self._connect()
            except Exception as error:  # noqa: BLE001 - raised again by start()
                _post(loop, _fail, started, error)
                return
            _post(loop, _succeed, started)
            with closing(connection):
                while jobs := self._take():
                    self._run(connection, jobs)
                    _post(loop, self._settle, jobs)
        finally:
            if self._finished is not None:
                _post(loop, _succeed, self._finished)

    def _take(self) -> list[_Job[Any]]:
        """Wait for a job and return it with those behind it; empty when it is time to end."""
        jobs: list[_Job[Any]] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == self._batch:
                return jobs
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # nothing comes after it: met again once these are done
        return jobs

    def _settle(self, jobs: Sequence[_Job[Any]]) -> None:
        for job in jobs:
            self._pending -= 1
            self._pending_bytes -= job.size
            job.settle()


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *args: object) -> None:
    # The loop can be gone if the process ends without aclose(); then nobody waits either.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *args)


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _open(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection to the file at `path`, created if there is none.

    Raises `ConfigError` for a path or file that cannot be used, `StoreUnavailable` otherwise.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        connection = _connect(path, busy_timeout_s)
        try:
            _check_schema(connection, path)
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        msg = f"store.path: cannot open {path}: {error.strerror}"
        raise ConfigError(msg) from error
    except sqlite3.Error as error:
        # The low byte: extended codes tell more than is asked here.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNUSABLE:
            msg = f"store.path: cannot use {path} as a SQLite file ({error}). {_WAY_OUT}"
            raise ConfigError(msg) from error
        raise _unavailable(error) from error
    return connection


def _create(path: Path) -> None:
    """Create the file, readable by its owner only, with its schema; no harm if another does so.

    It is made under another name and linked into place. So nobody sees it half made, and no
    descriptor of the real file is closed here: that would drop the locks that every connection
    of this process holds on it (POSIX locks belong to the process; see SQLite's "How To Corrupt").
    """
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    try:
        with closing(_connect(Path(name), 0.0)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("COMMIT")
        # Not rename: it would replace a file that another process has made meanwhile.
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    # There is no text in the schema. Damage can make a value look like text, and the error that
    # decoding it then raises would quote it.
    connection.text_factory = bytes
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `ConfigError` if the file is not ours or not of this version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != _APPLICATION_ID:
        msg = f"store.path: {path} is not a store of cachemw. {_WAY_OUT}"
        raise ConfigError(msg)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        msg = (
            f"store.path: {path} has schema version {version}, this cachemw needs "
            f"{SCHEMA_VERSION}. {_WAY_OUT}"
        )
        raise ConfigError(msg)
