"""Searching one partition: scans on the event loop, graphs on their thread, one result of both."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cachemw.index.base import Neighbour
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.index.lane import Lane
from cachemw.index.rebuild import Rebuilder
from cachemw.index.segment import Partition, Segment
from cachemw.stores.base import Vector


@dataclass(frozen=True, slots=True)
class _Found:
    """What one graph answered: labels, distances, and the seconds of CPU that it took."""

    labels: NDArray[np.uint64]
    distances: NDArray[np.float32]
    seconds: float


def has_graphs(partition: Partition) -> bool:
    """Whether a search of the partition needs the graphs' thread."""
    return any(isinstance(segment.index, HnswIndex) for segment in partition.segments)


def scan(partition: Partition, vector: Vector, k: int) -> list[Neighbour]:
    """Return the `k` nearest of every segment that is a scan."""
    found: list[Neighbour] = []
    for segment in partition.segments:
        if isinstance(segment.index, FlatIndex):
            found += segment.index.search(vector, k)
    return found


class Searcher:
    """Searches graphs, and reports those that tombstones have made slow."""

    def __init__(self, graphs: Lane, rebuilder: Rebuilder) -> None:
        self._graphs = graphs
        self._rebuilder = rebuilder

    async def search(self, partition: Partition, vector: Vector, k: int) -> list[Neighbour]:
        """Return the `k` nearest of every segment, in no order."""
        while True:
            indexes = [segment.index for segment in partition.segments]
            graphs = [index for index in indexes if isinstance(index, HnswIndex)]
            asked = [(graph, min(k, len(graph))) for graph in graphs]
            answers = await self._graphs.run(partial(_query, asked, vector), urgent=True)
            if indexes == [segment.index for segment in partition.segments]:
                break
            # One was replaced meanwhile: what the old one calls an entry may be another by now.
        found = scan(partition, vector, k)
        searched = [s for s in partition.segments if isinstance(s.index, HnswIndex)]
        for segment, (graph, wanted), answer in zip(searched, asked, answers, strict=True):
            found += graph.resolve(answer.labels, answer.distances)
            self._note(segment, answer, wanted)
        return found

    def _note(self, segment: Segment, answer: _Found, wanted: int) -> None:
        if segment.health is None:
            return
        segment.health.note(answer.seconds)
        if len(answer.labels) < wanted:
            segment.health.fell_short()
        if segment.health.damaged:
            self._rebuilder.consider(segment)


def _query(graphs: Iterable[tuple[HnswIndex, int]], vector: Vector) -> list[_Found]:
    """Search graphs one after the other."""
    answers = []
    for graph, wanted in graphs:
        # CPU time of this thread: it does not count what others keep it waiting for.
        started = time.thread_time()
        labels, distances = graph.query(vector, wanted)
        answers.append(_Found(labels, distances, time.thread_time() - started))
    return answers
