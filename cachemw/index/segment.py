"""A part of a partition: one index, and what is under way to replace it."""

from __future__ import annotations

import asyncio

from cachemw.index.entries import AgeEnds
from cachemw.index.flat import FlatIndex
from cachemw.index.health import SearchHealth
from cachemw.index.hnsw import HnswIndex
from cachemw.stores.base import Vector

Index = FlatIndex | HnswIndex


class Partition(AgeEnds):
    """All entries of one compatibility key, oldest first, in as few segments as can hold them."""

    __slots__ = ("name", "segments")

    def __init__(self, name: bytes) -> None:
        super().__init__()
        self.name = name
        self.segments: list[Segment] = []


class Segment:
    """At most `segment_size` vectors of a partition.

    While it is being built anew, `changed` collects what the new index does not know of yet: the
    last vector of every entry that was added, None for one that was removed. While it is frozen,
    inserts have to wait. After a failure the next build waits until there are more than
    `retry_above` nodes.
    """

    __slots__ = (
        "_thawed",
        "building",
        "changed",
        "health",
        "index",
        "number",
        "partition",
        "retry_above",
    )

    def __init__(self, number: int, partition: Partition, index: Index) -> None:
        self.number = number
        self.partition = partition
        self.index = index
        self.building: asyncio.Task[None] | None = None
        self.changed: dict[int, Vector | None] | None = None
        self.health: SearchHealth | None = None
        self.retry_above = 0
        self._thawed: asyncio.Event | None = None

    @property
    def frozen(self) -> asyncio.Event | None:
        """What an insert has to wait for."""
        return self._thawed

    def freeze(self) -> None:
        """Let inserts wait."""
        self._thawed = self._thawed or asyncio.Event()

    def thaw(self) -> None:
        """Let inserts go on."""
        if self._thawed is not None:
            self._thawed.set()
            self._thawed = None

    def note(self, entry: int, vector: Vector | None) -> None:
        """Remember a change for the build under way, if there is one."""
        if self.changed is not None:
            self.changed[entry] = vector

    @property
    def nodes(self) -> int:
        """What a search has to look at, or to walk."""
        return self.index.labels if isinstance(self.index, HnswIndex) else len(self.index)

    @property
    def tombstones(self) -> int:
        """Removed vectors that are still walked."""
        return self.nodes - len(self.index)
