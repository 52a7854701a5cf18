"""Replacing a segment's index while the old one serves: scan to graph, graph to graph, and back.

The new index is filled in short steps, each read from the old one and written on a thread of its
own; what changes meanwhile is caught up with at the end, until nothing is left, and then it is
swapped in. Until that moment nobody else sees it. When little is left, or what is left does
not become less, inserts into the segment wait for the swap: a steady stream of them could keep it
from ever being reached.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

import numpy as np

from cachemw.index.flat import FlatIndex
from cachemw.index.health import SearchHealth, wants_graph, wants_rebuild, wants_scan
from cachemw.index.hnsw import HnswIndex
from cachemw.index.lane import Lane
from cachemw.index.segment import Index, Segment
from cachemw.states import DependencyState
from cachemw.stores.base import Vector

log = logging.getLogger("cachemw.index")

_STEP = 32
"""Vectors a step: reading them out of a graph holds the interpreter's lock for 0.4 ms."""


class Rebuilder:
    """Decides when segments are built anew, and does it, one step of one build at a time."""

    def __init__(self, dimension: int, switch_at: int, graphs: Lane) -> None:
        self._dimension = dimension
        self._switch_at = switch_at
        self._graphs = graphs
        self._builds = Lane("cachemw-build", nice=10)
        self._state = DependencyState("index build")
        self._tasks: set[asyncio.Task[None]] = set()
        self.graphs: dict[int, Segment] = {}
        self.built = 0

    def adopt(self, segment: Segment) -> None:
        """Take in a segment that comes with its index."""
        self._note(segment)

    def consider(self, segment: Segment) -> None:
        """Begin to build a segment anew, if its index is no longer the right one."""
        if segment.building is not None or segment.nodes <= segment.retry_above:
            return
        target = self._target(segment)
        if target is None:
            return
        segment.changed = {}
        segment.building = asyncio.create_task(self._build(segment, target))
        self._tasks.add(segment.building)
        segment.building.add_done_callback(self._tasks.discard)

    @property
    def building(self) -> int:
        """Builds under way."""
        return len(self._tasks)

    def forget(self, segment: Segment) -> None:
        """Let go of a segment that is empty."""
        self.graphs.pop(segment.number, None)
        if segment.building is not None:
            segment.building.cancel()

    async def settled(self) -> None:
        """Wait until nothing is being built."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        self._builds.close()

    def _target(self, segment: Segment) -> type[Index] | None:
        live, health = len(segment.index), segment.health
        if isinstance(segment.index, FlatIndex):
            return HnswIndex if wants_graph(live, self._switch_at) else None
        if wants_scan(live, self._switch_at):
            return FlatIndex
        damaged = health is not None and health.damaged
        return HnswIndex if wants_rebuild(live, segment.tombstones, damaged=damaged) else None

    async def _build(self, segment: Segment, target: type[Index]) -> None:
        try:
            segment.index = await self._filled(segment, target)
            segment.retry_above = 0
            self._note(segment)
            self._state.up()
            self.built += 1
            log.info("index built", extra={"kind": target.__name__, "vectors": len(segment.index)})
        except Exception as error:  # noqa: BLE001 - what there was before goes on serving
            segment.retry_above = 2 * segment.nodes
            self._state.down(type(error).__name__)
        finally:
            segment.building = segment.changed = None
            segment.thaw()
        if len(segment.index):  # what came meanwhile may be reason enough for the next one
            self.consider(segment)

    def _note(self, segment: Segment) -> None:
        if isinstance(segment.index, HnswIndex):
            self.graphs[segment.number] = segment
            segment.health = SearchHealth()
        else:
            self.graphs.pop(segment.number, None)
            segment.health = None

    async def _filled(self, segment: Segment, target: type[Index]) -> Index:
        source, index = segment.index, self._empty(target, len(segment.index))
        for chunk in _chunks(source.entries()):
            changed = segment.changed or {}
            entries = [entry for entry in chunk if entry in source and entry not in changed]
            if entries:
                await self._write(index, entries, await self._read(source, entries))
        before = 2 * len(segment.index)
        while segment.changed:
            changes, segment.changed = segment.changed, {}
            if len(changes) <= _STEP or len(changes) > before // 2:
                segment.freeze()
            before = len(changes)
            for chunk in _chunks(changes):
                await self._catch_up(index, chunk, changes)
        return index

    def _empty(self, target: type[Index], size: int) -> Index:
        """Return an index with room for what is there, and for as much as a life of it brings."""
        if target is FlatIndex:
            return FlatIndex(self._dimension)
        return HnswIndex(self._dimension, capacity=size + size // 2 + _STEP)

    async def _read(self, source: Index, entries: Sequence[int]) -> Vector:
        if isinstance(source, FlatIndex):
            return source.vectors(entries)
        labels = [source.label(entry) for entry in entries]
        return await self._graphs.run(partial(source.vectors, labels))

    async def _write(self, index: Index, entries: Sequence[int], vectors: Vector) -> None:
        if isinstance(index, FlatIndex):
            for entry, vector in zip(entries, vectors, strict=True):
                index.add(entry, vector)
            await asyncio.sleep(0)
        else:
            labels = [index.assign(entry) for entry in entries]
            await self._builds.run(partial(index.insert, labels, vectors))

    async def _catch_up(
        self, index: Index, entries: Sequence[int], changes: Mapping[int, Vector | None]
    ) -> None:
        """Bring `entries` to the state in `changes`."""
        if isinstance(index, FlatIndex):
            for entry in entries:
                index.remove(entry)
        else:
            labels = [index.release(entry) for entry in entries]
            dead = [label for label in labels if label is not None]
            await self._builds.run(partial(index.bury, dead))
        added = [(entry, vector) for entry in entries if (vector := changes[entry]) is not None]
        if added:
            await self._write(index, [e for e, _ in added], np.stack([v for _, v in added]))


def _chunks(entries: Sequence[int] | Mapping[int, object]) -> Iterator[list[int]]:
    every = iter(entries)
    while chunk := list(islice(every, _STEP)):
        yield chunk
