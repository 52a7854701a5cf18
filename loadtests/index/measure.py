"""Both indexes on the same vectors, size by size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cachemw.index.base import VectorIndex
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from loadtests.index.vectors import DIMENSION, DataSet
from loadtests.questions import Vectors
from loadtests.stats import Spread, spread

TOP_K = 8
_HOPS = 2000


@dataclass(frozen=True, slots=True)
class Size:
    """Both indexes at one size. Times in milliseconds, but for `build_s`, which is cumulative.

    `flat_insert` and `graph_insert` are the mean since the last size.
    """

    size: int
    flat: Spread
    graph: Spread
    flat_insert: float
    graph_insert: float
    build_s: float
    recall: float


def sizes(data: DataSet, wanted: Sequence[int]) -> Iterator[Size]:
    """Grow both indexes and measure them at every wanted size that the data suffices for."""
    flat, graph = FlatIndex(DIMENSION), HnswIndex(DIMENSION)
    done, build_s = 0, 0.0
    for size in sorted(wanted):
        if size > len(data.stored):
            return
        flat_s = _fill(flat, data.stored, done, size)
        graph_s = _fill(graph, data.stored, done, size)
        build_s += graph_s
        grown, done = size - done, size
        yield Size(
            size,
            _search(flat, data.queries),
            _search(graph, data.queries),
            1e3 * flat_s / grown,
            1e3 * graph_s / grown,
            build_s,
            recall(flat, graph, data.queries),
        )


def recall(exact: VectorIndex, approximate: VectorIndex, queries: Vectors) -> float:
    """Return for which share of the queries both agree on the nearest."""
    pairs = ((exact.search(query, 1)[0], approximate.search(query, 1)[0]) for query in queries)
    return sum(one.entry == other.entry for one, other in pairs) / len(queries)


def _fill(index: VectorIndex, stored: Vectors, begin: int, end: int) -> float:
    """Insert one by one, as the server does; return the seconds."""
    started = time.perf_counter()
    for position in range(begin, end):
        index.add(position, stored[position])
    return time.perf_counter() - started


def _search(index: VectorIndex, queries: Vectors) -> Spread:
    return timed([lambda query=query: index.search(query, TOP_K) for query in queries])  # type: ignore[misc]


def timed(calls: Sequence[Callable[[], object]]) -> Spread:
    """Return the spread of the calls' times, in milliseconds; the first tenth warms up."""
    for call in calls[: len(calls) // 10]:
        call()
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - started))
    return spread(times)


async def hop(times: int = _HOPS) -> Spread:
    """Return what a call costs that does nothing on a thread of the executor, in milliseconds."""
    loop = asyncio.get_running_loop()
    samples = []
    with ThreadPoolExecutor(1) as executor:
        for _ in range(times):
            started = time.perf_counter()
            await loop.run_in_executor(executor, time.perf_counter)
            samples.append(1e3 * (time.perf_counter() - started))
    return spread(samples)
