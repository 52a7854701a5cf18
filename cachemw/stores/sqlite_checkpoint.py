"""Checkpoints of the SQLite store: what the log has gathered is moved into the file.

SQLite does it in the commit that fills 1000 pages of log, about every 120th: that write then takes
some 20 ms longer, which is two waits for the disk. Here a thread of its own does it meanwhile. It
holds up neither readers nor the writer, but under writes without a pause it never reaches the end
of a log that grows before it. So the writer's own limit stays as a backstop, four times as large
(`sqlite_file`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

from cachemw.errors import StoreUnavailable
from cachemw.stores.sqlite_thread import ConnectionThread, run_each

#: Bytes of log after which there is a checkpoint: SQLite's own default of 1000 pages.
_EVERY_BYTES = 4 << 20
#: What a write adds to the log besides its document: eight pages of tables and indexes.
_WRITE_BYTES = 8 << 12
_TRIES = 3
#: A checkpoint that takes longer is not waited for; it is of the log's size, bounded by the above.
_TIMEOUT_S = 60.0


class Checkpointer:
    """Makes a checkpoint whenever enough was written, on the connection `connect` returns."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._thread = ConnectionThread(
            "cachemw-sqlite-checkpointer", connect, run_each, batch=1, queue_limit=1
        )
        self._written = 0
        self._running: asyncio.Task[None] | None = None

    async def start(self, deadline: float) -> None:
        """Open the connection; raises what `ConnectionThread.start` raises."""
        await self._thread.start(deadline)

    def wrote(self, size: int) -> None:
        """Count a committed write with a document of `size` bytes."""
        self._written += size + _WRITE_BYTES
        if self._written >= _EVERY_BYTES and self._running is None:
            self._written = 0
            self._running = asyncio.create_task(self._run(), name="cachemw-sqlite-checkpoint")

    async def aclose(self, timeout_s: float) -> None:
        """Finish a checkpoint under way; raises `StoreUnavailable` past `timeout_s`."""
        await self._thread.aclose(timeout_s)
        if self._running is not None:
            await asyncio.wait([self._running])

    def stop(self) -> None:
        """Let the thread end, without waiting for it."""
        self._thread.stop()

    async def _run(self) -> None:
        try:
            deadline = asyncio.get_running_loop().time() + _TIMEOUT_S
            await self._thread.call(_checkpoint, deadline)
        except StoreUnavailable:
            pass  # The writer makes up for it once the log is larger; no write has failed.
        finally:
            self._running = None


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Move the log into the file; again where more came in between, for only an empty log ends."""
    for _ in range(_TRIES):
        # PASSIVE moves what it can and waits for nobody.
        _, logged, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if moved == logged:
            return
