"""The service's view of the labels: what is judged here goes out, what anyone judged comes in.

Own design. A label is never handed on here directly: it is written to the store and comes back
with everybody else's, so that all processes see the same labels in the same order. Requests only
put things into bounded queues; an upkeep loop does the rest.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from cachemw_policies.labels import Label

from cachemw.errors import StoreUnavailable
from cachemw.states import DependencyState
from cachemw.stores.evidence import Evidence, Served

#: Written or read at once.
_BATCH = 256

#: Who served it, and the id its answer had.
_HitKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BookLimits:
    """Labels and hits that may wait to be written, and labels read in one turn at most."""

    labels: int = 1000
    hits: int = 10_000
    read: int = 2048


@dataclass(frozen=True, slots=True)
class _Batch:
    """Labels on their way, under a name by which the store knows them if they come again."""

    name: bytes
    labels: tuple[Label, ...]


class LabelBook:
    """Queues of what is to be written, and a reader of the labels of all processes.

    `on_label` is called with each label once, in the order of the store; `on_anew` when the store
    turns out to be another one, and what was learnt from the old one is to be forgotten. `unique`
    returns bytes that nobody else gets. `on_dropped` is called with `label` or `hit` for each that
    found no room or could not be one. A failure of the store sets `state`; what waits is kept.
    """

    def __init__(
        self,
        evidence: Evidence,
        state: DependencyState,
        on_label: Callable[[Label], None],
        *,
        on_anew: Callable[[], None],
        on_dropped: Callable[[str], None],
        unique: Callable[[], bytes],
        limits: BookLimits = BookLimits(),
    ) -> None:
        self._evidence = evidence
        self._state = state
        self._on_label = on_label
        self._on_anew = on_anew
        self._on_dropped = on_dropped
        self._unique = unique
        self._limits = limits
        self._labels: deque[Label] = deque()
        self._batch: _Batch | None = None
        self._hits: OrderedDict[_HitKey, Served] = OrderedDict()
        self._leaving: OrderedDict[_HitKey, Served] = OrderedDict()
        self._writing = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._cursor = ""
        self._caught_up = False

    @property
    def caught_up(self) -> bool:
        """Whether the end of the log has been reached since the start, or since it began anew."""
        return self._caught_up

    @property
    def waiting(self) -> int:
        """How many labels and hits are not written yet."""
        batch = 0 if self._batch is None else len(self._batch.labels)
        return batch + len(self._labels) + len(self._hits) + len(self._leaving)

    def judge(self, label: Label) -> None:
        """Queue a label; one whose score is no number in [0, 1] is dropped."""
        batch = 0 if self._batch is None else len(self._batch.labels)
        if not 0 <= label.score <= 1 or len(self._labels) + batch >= self._limits.labels:
            self._on_dropped("label")
        else:
            self._labels.append(label)

    async def write(self, labels: Sequence[Label], name: bytes) -> None:
        """Write labels at once, all or none, past what waits: many at a time would fill the queue.

        `name` as in `Evidence.append`. Raises StoreUnavailable.
        """
        try:
            await self._evidence.append(labels, name)
        except StoreUnavailable as error:
            self._state.down(type(error).__name__, "append")
            raise
        self._state.up("append")

    def served(self, hit: Served) -> None:
        """Queue a served hit, so that it can be judged, here at once and elsewhere soon."""
        if len(self._hits) + len(self._leaving) >= self._limits.hits:
            self._on_dropped("hit")
        else:
            self._hits[hit.tenant, hit.answer_id] = hit

    async def take(self, answer_id: str, tenant: str) -> Served | None:
        """Return and forget a hit of `tenant`, wherever it was served. Raises StoreUnavailable."""
        key = (tenant, answer_id)
        if key in self._leaving:
            async with self._writing:  # until it is in the store, or here again
                pass
        if (hit := self._hits.pop(key, None)) is not None:
            return hit
        try:
            hit = await self._evidence.take(answer_id, tenant)
        except StoreUnavailable as error:
            self._state.down(type(error).__name__, "take")
            raise
        self._state.up("take")
        return hit

    async def step(self) -> None:
        """Do what is due, for the upkeep loop; raises nothing that the store does."""
        await self.flush()
        await self.follow()

    async def flush(self) -> None:
        """Write what waits, as far as the store takes it; also before the store is closed."""
        async with self._writing:
            await self._write_labels()
            await self._write_hits()

    async def follow(self) -> None:
        """Hand on what was written since the last time: at the start all there is, in turns."""
        async with self._reading:
            for _ in range(0, self._limits.read, _BATCH):
                try:
                    batch = await self._evidence.labels(self._cursor, _BATCH)
                except StoreUnavailable as error:
                    self._state.down(type(error).__name__, "labels")
                    return
                self._state.up("labels")
                if batch.anew:
                    self._caught_up = False
                    self._on_anew()
                elif batch.cursor == self._cursor:
                    self._caught_up = True
                    return
                # First, so that an error in what is called costs labels and doubles none.
                self._cursor = batch.cursor
                for label in batch.labels:
                    self._on_label(label)
                await asyncio.sleep(0)

    async def _write_labels(self) -> None:
        """Write labels in batches; one whose outcome is not known is written again as it was."""
        for _ in range(2 + len(self._labels) // _BATCH):
            if self._batch is None:
                if not self._labels:
                    return
                size = min(_BATCH, len(self._labels))
                self._batch = _Batch(
                    self._unique(), tuple(self._labels.popleft() for _ in range(size))
                )
            try:
                await self._evidence.append(self._batch.labels, self._batch.name)
            except StoreUnavailable as error:
                self._state.down(type(error).__name__, "append")
                return
            self._state.up("append")
            self._batch = None

    async def _write_hits(self) -> None:
        for _ in range(0, len(self._hits), _BATCH):
            self._leaving = OrderedDict(islice(self._hits.items(), _BATCH))
            for key in self._leaving:
                del self._hits[key]
            try:
                await self._evidence.remember(tuple(self._leaving.values()))
            except BaseException as error:
                # What was served under the same id meanwhile counts.
                self._hits = self._leaving | self._hits
                if not isinstance(error, StoreUnavailable):
                    raise
                self._state.down(type(error).__name__, "remember")
                return
            finally:
                self._leaving = OrderedDict()
            self._state.up("remember")
