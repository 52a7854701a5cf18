"""The operations on stored entries, over any document store.

All of them go through the store in batches and let the event loop run between two, so that a
million entries cost neither memory nor a pause. What is removed is removed in the store first,
which is durable and logged for the other replicas, and then from this process's memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from cachemw.admin.fence import Fence
from cachemw.admin.filters import EntryFilter, matches
from cachemw.admin.imports import Counts, Fault, ImportStopped
from cachemw.admin.lines import portions
from cachemw.admin.wire import BadEntry, LineReader, export_line, info_line
from cachemw.stores.base import Document, DocumentStore, EntryInfo, StoreStats

Forget = Callable[[Sequence[bytes]], Awaitable[None]]
Learn = Callable[[Document], Awaitable[None]]

# Whole documents in memory at once, for an export or an import.
_READ_COUNT = 64
_READ_BYTES = 1 << 20
_WRITE_COUNT = 64
_WRITE_BYTES = 8 << 20


@dataclass(slots=True)
class Purged:
    """How far a purge has come, or how far it would go."""

    matched: int = 0
    removed: int = 0


@dataclass(slots=True)
class Imported(Counts):
    """Counts of lines; `expired` ones were skipped."""

    expired: int = 0


class EntryAdmin:
    """Lists, reads, removes, exports and imports entries. Everything may raise StoreUnavailable.

    `forget` drops keys from this process's memory, index included; `learn` makes an imported
    document findable here. `clock` returns Unix seconds.
    """

    def __init__(
        self,
        store: DocumentStore,
        reader: LineReader,
        fence: Fence,
        clock: Callable[[], float],
        *,
        forget: Forget,
        learn: Learn,
    ) -> None:
        self._store = store
        self._reader = reader
        self._fence = fence
        self._clock = clock
        self._forget = forget
        self._learn = learn

    async def get(self, key: bytes) -> Document | None:
        """Return the live entry under `key`."""
        return await self._store.get(key)

    async def stats(self) -> StoreStats:
        """Return the size of the store."""
        return await self._store.stats()

    async def listing(
        self, wanted: EntryFilter, limit: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield lines of what matches, some to a chunk, up to `limit` lines."""
        left = limit
        async with aclosing(self._matching(wanted)) as batches:
            async for batch in batches:
                taken = batch[:left]
                yield b"".join(info_line(info) for info in taken)
                if left is not None:
                    left -= len(taken)
                    if left <= 0:
                        return

    async def export(self, wanted: EntryFilter) -> AsyncGenerator[bytes, None]:
        """Yield lines of what matches, whole, some to a chunk."""
        async with aclosing(self._matching(wanted)) as batches:
            async for batch in batches:
                for portion in portions(batch, count=_READ_COUNT, size=_READ_BYTES):
                    documents = await self._store.get_many([info.key for info in portion])
                    if documents:
                        yield b"".join(export_line(document) for document in documents)

    async def delete(self, key: bytes) -> bool:
        """Remove one entry; returns whether there was one."""
        self._fence.raise_against(EntryFilter(id=key.hex()))
        removed = await self._remove([key])
        return removed > 0

    async def purge(self, wanted: EntryFilter, *, dry_run: bool, so_far: Purged) -> None:
        """Remove what matches and was stored before now; `so_far` is kept up to date."""
        if not dry_run:
            # First: what is stored while the store is being read need not be among what it yields.
            self._fence.raise_against(wanted)
        async with aclosing(self._matching(wanted)) as batches:
            async for batch in batches:
                so_far.matched += len(batch)
                if not dry_run:
                    so_far.removed += await self._remove([info.key for info in batch])

    async def load(
        self, lines: AsyncIterator[tuple[int, bytes]], so_far: Imported, *, keep_going: bool
    ) -> None:
        """Store the documents of numbered lines; what is there under the same key is replaced.

        `so_far` is kept up to date. Raises ImportStopped at the first line that is refused, with
        those before it stored, unless told to keep going.
        """
        held: list[Document] = []
        size = 0
        async for number, line in lines:
            # Lines that are there already come without a pause, and take a millisecond each.
            await asyncio.sleep(0)
            try:
                document = self._reader.imported(line)
            except BadEntry as error:
                fault = Fault(number, error.field, error.message)
                so_far.refuse(fault)
                if keep_going:
                    continue
                await self._store_all(held, so_far)
                raise ImportStopped(fault) from None
            if document.expires_at <= self._clock():
                so_far.expired += 1
                continue
            held.append(document)
            size += len(line)
            if len(held) >= _WRITE_COUNT or size >= _WRITE_BYTES:
                await self._store_all(held, so_far)
                held, size = [], 0
        await self._store_all(held, so_far)

    async def _store_all(self, documents: Sequence[Document], counts: Imported) -> None:
        """Store documents, together so that the store can commit them together."""
        latest = {document.key: document for document in documents}
        puts = [self._store.put(document) for document in latest.values()]
        results = await asyncio.gather(*puts, return_exceptions=True)
        await self._forget(list(latest))
        for result in results:
            if isinstance(result, BaseException):
                raise result
        for document in latest.values():
            await self._learn(document)
        counts.imported += len(documents)

    async def _remove(self, keys: Sequence[bytes]) -> int:
        try:
            return await self._store.delete_many(keys)
        finally:
            # Also after a failure: what was removed before it must not be served from memory.
            await self._forget(keys)

    async def _matching(self, wanted: EntryFilter) -> AsyncGenerator[list[EntryInfo], None]:
        now = self._clock()
        batches = self._store.entries()
        try:
            async for batch in batches:
                if found := [info for info in batch if matches(wanted, info, now)]:
                    yield found
                await asyncio.sleep(0)
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()
