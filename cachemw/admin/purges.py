"""Purges under way: each runs to its end, whether or not its client stays to see that."""

from __future__ import annotations

import asyncio

import orjson

from cachemw.admin.audit import Audit, Caller
from cachemw.admin.filters import EntryFilter
from cachemw.admin.replies import Chunks
from cachemw.admin.service import EntryAdmin, Purged

_PROGRESS_SECONDS = 0.25


class Purge:
    """One purge, running. Half of one would leave an operator guessing what is gone."""

    def __init__(self, task: asyncio.Task[None], so_far: Purged, *, dry_run: bool) -> None:
        self._task = task
        self._so_far = so_far
        self._dry_run = dry_run

    async def result(self) -> bytes:
        """Return the counts once it is through. Raises StoreUnavailable."""
        await asyncio.shield(self._task)
        return self._counts()

    async def progress(self) -> Chunks:
        """Yield the counts, a line each, now and then and at the end. Raises StoreUnavailable."""
        while not self._task.done():
            await asyncio.wait({self._task}, timeout=_PROGRESS_SECONDS)
            if not self._task.done():
                yield self._counts() + b"\n"
        self._task.result()
        yield self._counts() + b"\n"

    def _counts(self) -> bytes:
        so_far = self._so_far
        counts = {"matched": so_far.matched, "removed": so_far.removed, "dry_run": self._dry_run}
        return orjson.dumps(counts)


class Purges:
    """Starts purges, audits them, and keeps them from being collected while they run."""

    def __init__(self, entries: EntryAdmin, audit: Audit) -> None:
        self._entries = entries
        self._audit = audit
        self._running: set[asyncio.Task[None]] = set()

    def start(self, caller: Caller, wanted: EntryFilter, *, dry_run: bool) -> Purge:
        """Begin a purge."""
        so_far = Purged()
        task = asyncio.create_task(self._run(caller, wanted, so_far, dry_run=dry_run))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return Purge(task, so_far, dry_run=dry_run)

    async def _run(
        self, caller: Caller, wanted: EntryFilter, so_far: Purged, *, dry_run: bool
    ) -> None:
        about = {"filter": wanted.given(), "dry_run": dry_run}
        with self._audit.operation(caller, "purge", about) as counts:
            try:
                await self._entries.purge(wanted, dry_run=dry_run, so_far=so_far)
            finally:
                counts.update(matched=so_far.matched, removed=so_far.removed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the audit log has it; perhaps nobody else is there any more
