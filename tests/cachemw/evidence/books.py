"""Processes with a label book each, on evidence that fails as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

from cachemw_policies.labels import Label, Source

from cachemw.errors import StoreUnavailable
from cachemw.evidence.book import BookLimits, LabelBook
from cachemw.states import DependencyState
from cachemw.stores.evidence import Evidence, LabelBatch, Served

NOW = 1_795_000_000.0


def label(number: int) -> Label:
    return Label("faq", 0.5, True, Source.SHADOW, "verifier-1", float(number))


def hit(number: int) -> Served:
    return Served(f"chatcmpl-{number}", b"k", "tenant", "faq", 0.9, "verifier-1", NOW)


class Shared(Evidence):
    """Evidence that several processes share, and that fails as a test says: before or after."""

    def __init__(self, inner: Evidence) -> None:
        self.inner = inner
        self.faults: list[str] = []
        self.names: set[bytes] = set()
        self.gates: dict[str, asyncio.Event] = {}

    async def _do(self, name: str, work: Callable[[], Awaitable[object]]) -> object:
        if name in self.gates:
            await self.gates[name].wait()
        fault = self.faults.pop() if self.faults else ""
        if fault == "before":
            raise StoreUnavailable
        result = await work()
        if fault == "after":
            raise StoreUnavailable
        return result

    async def append(self, labels: Sequence[Label], batch: bytes) -> None:
        async def once() -> None:
            if batch not in self.names:  # of all processes, as a real store does it
                self.names.add(batch)
                await self.inner.append(labels, batch)

        await self._do("append", once)

    async def labels(self, after: str, limit: int) -> LabelBatch:
        batch = await self._do("labels", lambda: self.inner.labels(after, limit))
        assert isinstance(batch, LabelBatch)
        return batch

    async def remember(self, served: Sequence[Served]) -> None:
        await self._do("remember", lambda: self.inner.remember(served))

    async def take(self, answer_id: str, tenant: str) -> Served | None:
        found = await self._do("take", lambda: self.inner.take(answer_id, tenant))
        assert found is None or isinstance(found, Served)
        return found


NAMES = count()


class Process:
    """A book and what it hands on."""

    def __init__(self, evidence: Evidence, limits: BookLimits | None = None) -> None:
        self.seen: list[Label] = []
        self.dropped: list[str] = []
        self.changes: list[bool] = []
        self.state = DependencyState("evidence", self.changes.append)
        self.book = LabelBook(
            evidence,
            self.state,
            self.seen.append,
            on_anew=self.seen.clear,
            on_dropped=self.dropped.append,
            unique=lambda: b"%d" % next(NAMES),
            limits=limits or BookLimits(),
        )
