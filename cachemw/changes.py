"""Following the store's change log: what other workers and replicas have stored and deleted.

Own design. Every process keeps copies of the store's documents: the memory tier, and the index of
their vectors. The log says which of them are out of date. It is applied in its own order, one's own
changes included, so that all processes end with the same whatever order they worked in.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cachemw.errors import IndexUnavailable
from cachemw.index.partitions import PartitionedIndex
from cachemw.metrics import Metrics
from cachemw.quotas.follow import Follower
from cachemw.states import DependencyState
from cachemw.stores.base import Change, ChangeKind, DocumentStore, IndexRow

# Changes read at once: the time between two turns of the event loop's other work.
_BATCH = 256
# Own documents that were removed and may have been put again: how far back that is remembered.
_REMEMBERED = 10_000
# Between two tries to read a log that cannot be read.
_LONGEST_PAUSE_SECONDS = 1.0


class Copies(Protocol):
    """What a process keeps of the store's documents."""

    def forget(self, keys: Iterable[bytes]) -> None:
        """Drop copies that are out of date."""

    def forget_all(self) -> None:
        """Drop all copies."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The index that is kept like the store, and the embedder whose vectors are in it."""

    index: PartitionedIndex
    fingerprint: str


class ChangeFeed:
    """Keeps this process's copies like the store.

    `origin` is this process's name in the log. Where the log does not reach back to its cursor the
    feed compares the index with the store: at a first start without a snapshot, after an absence
    longer than the log, after a flush of the store.
    """

    def __init__(
        self,
        store: DocumentStore,
        copies: Copies,
        state: DependencyState,
        metrics: Metrics,
        *,
        origin: str,
        monotonic: Callable[[], float],
        follower: Follower | None = None,
    ) -> None:
        self._store = store
        self._copies = copies
        self._state = state
        self._metrics = metrics
        self._origin = origin
        self._monotonic = monotonic
        self._follower = follower
        self._followed: Followed | None = None
        self._removed: OrderedDict[bytes, None] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._caught_up_at = monotonic()
        self.cursor = ""

    @property
    def lag(self) -> float:
        """Seconds since the end of the log was last reached."""
        return self._monotonic() - self._caught_up_at

    async def attach(self, followed: Followed, cursor: str) -> None:
        """Keep an index from now on; it holds everything up to `cursor` ("" for nothing)."""
        async with self._one_at_a_time:
            self._followed = followed
            self.cursor = cursor

    async def run(self, poll_seconds: float) -> None:
        """Follow the log until cancelled."""
        pause = poll_seconds
        while True:
            try:
                await self.catch_up()
            except Exception as error:  # noqa: BLE001 - the feed must outlive whatever this was
                self._state.down(type(error).__name__, "changes")
                pause = min(2 * pause, max(poll_seconds, _LONGEST_PAUSE_SECONDS))
            else:
                self._state.up("changes")
                pause = poll_seconds
            await asyncio.sleep(pause)

    async def catch_up(self) -> None:
        """Apply all changes up to the end of the log. Raises StoreUnavailable."""
        async with self._one_at_a_time:
            while True:
                batch = await self._store.changes(self.cursor, _BATCH)
                if batch.complete:
                    await self._apply(batch.changes)
                else:
                    if self.cursor:  # the first look is no gap: nothing was known before it
                        self._metrics.changes_gaps.inc()
                    await self._compare()
                self.cursor = batch.cursor
                if batch.complete and len(batch.changes) < _BATCH:
                    break
            self._caught_up_at = self._monotonic()

    async def _apply(self, changes: Sequence[Change]) -> None:
        """Apply changes in their order; of those to one key only the last matters to the index."""
        wanted: dict[bytes, None] = {}
        put: dict[bytes, None] = {}
        for change in changes:
            if change.kind is ChangeKind.PUT:
                put.update(dict.fromkeys(change.keys))
            if change.kind is ChangeKind.REMOVE:
                await self._remove(change.keys)
                for key in change.keys:
                    wanted.pop(key, None)
            else:
                wanted.update(dict.fromkeys(self._outdated(change)))
            self._metrics.changes_applied.labels(change.kind.value).inc(len(change.keys))
        await self._add(list(wanted))
        if self._follower is not None and put:
            await self._follower.put(list(put))

    def _outdated(self, change: Change) -> Iterable[bytes]:
        """Return which documents of a PUT are not in the index as they now are in the store.

        One's own are there already, unless a removal that came before them in the log has only now
        taken them away again.
        """
        if change.origin != self._origin:
            self._copies.forget(change.keys)
            return change.keys
        return [key for key in change.keys if key in self._removed]

    async def _remove(self, keys: Sequence[bytes]) -> None:
        self._copies.forget(keys)
        if self._follower is not None:
            self._follower.removed(keys)
        for key in keys:
            if self._followed is not None:
                await self._followed.index.remove(key)
            self._removed[key] = None
            self._removed.move_to_end(key)
        while len(self._removed) > _REMEMBERED:
            self._removed.popitem(last=False)

    async def _add(self, keys: Sequence[bytes]) -> None:
        if self._followed is None:
            return
        for start in range(0, len(keys), _BATCH):
            some = keys[start : start + _BATCH]
            for row in await self._store.rows_of(some, self._followed.fingerprint):
                await _add_row(self._followed.index, row)
                self._removed.pop(row.key, None)

    async def _compare(self) -> None:
        """Make the index hold what the store holds.

        What is written meanwhile is in the log after the batch's cursor, and is applied next.
        """
        self._copies.forget_all()
        if self._follower is not None:
            self._follower.outdated()
        if self._followed is None:
            return
        index = self._followed.index
        before: set[bytes] = set()
        for batch in index.keys():  # noqa: SIM118 - no dict
            before.update(batch)
            await asyncio.sleep(0)
        async for rows in self._store.index_rows(self._followed.fingerprint):
            for row in rows:
                before.discard(row.key)
                await _add_row(index, row)
            await asyncio.sleep(0)
        await self._remove(list(before))


async def _add_row(index: PartitionedIndex, row: IndexRow) -> None:
    """Add a row; one bad vector does not cost all others."""
    try:
        await index.add(row.embedded.partition, row.key, row.embedded.vector, row.expires_at)
    except IndexUnavailable:
        return
