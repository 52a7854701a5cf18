"""Lookups in both designs, taken in turns within one run."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.stores.base import Document, DocumentStore
from loadtests.breakeven.postgres import Database
from loadtests.questions import Vectors

TOP_K = 5
PARTITION = b"breakeven".ljust(32, b"\0")

Lookup = Callable[[Vectors], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds of one design at one distance: a miss, and a hit with its answer."""

    miss: float
    hit: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Both designs at one distance, `round_trip_ms` by intent and `pinged_ms` as measured.

    `ratio`: a miss there over a miss here, round by round; `embedding` in milliseconds.
    """

    round_trip_ms: float
    pinged_ms: float
    ours: Costs
    remote: Costs
    ratio: float
    embedding: float


def break_even(costs: Costs, embedding_ms: float, answer_s: float) -> float:
    """Return the hit rate at which a cache begins to save time.

    Of a share h, lookups cost h x hit + (1 - h) x miss and the embedding always; h calls are not
    made. Above 1 there is none.
    """
    miss, hit = costs.miss + embedding_ms, costs.hit + embedding_ms
    won = answer_s * 1e3 - hit + miss
    return miss / won if won > 0 else float("inf")


async def ours_filled(vectors: Vectors, documents: Sequence[Document]) -> PartitionedIndex:
    """Return the service's index with all vectors."""
    index = PartitionedIndex(vectors.shape[1], IndexSettings(search_timeout=5.0))
    for vector, document in zip(vectors, documents, strict=True):
        await index.add(PARTITION, document.key, vector, float("inf"))
    await index.settled()
    return index


def ours_lookups(index: PartitionedIndex, store: DocumentStore) -> tuple[Lookup, Lookup]:
    """Return a lookup that finds nothing near, and one that fetches the best one's answer."""

    async def miss(vector: Vectors) -> object:
        return await index.search(PARTITION, vector, TOP_K)

    async def hit(vector: Vectors) -> object:
        found = await index.search(PARTITION, vector, TOP_K)
        document = await store.get(found[0].key)
        if document is None:
            raise RuntimeError("the answer is not in the store")
        return document

    return miss, hit


async def timed(lookup: Lookup, queries: Vectors) -> float:
    """Return the median time of a lookup, in milliseconds, one after the other."""
    spent = []
    for query in queries:
        began = time.perf_counter()
        await lookup(query)
        spent.append(time.perf_counter() - began)
    return float(np.median(spent) * 1e3)


async def compared(
    ours: tuple[Lookup, Lookup],
    remote: Database,
    embed: Callable[[int], float],
    queries: Vectors,
    round_trip_ms: float,
    rounds: int,
) -> Compared:
    """Measure all four lookups in turns, `rounds` times over.

    `embed` embeds the question of a number and returns the seconds that took.
    """

    async def ping(_: Vectors) -> object:
        return await remote.round_trip()

    lookups = [*ours, remote.nearest, remote.nearest_with_answers, ping]
    for lookup in lookups:
        await timed(lookup, queries[:20])
    table, embedded = [], []
    for _ in range(rounds):
        table.append([await timed(one, queries) for one in lookups])
        embedded.append(float(np.median([embed(n) for n in range(len(queries))]) * 1e3))
    figures = np.array(table)
    middle = [float(ms) for ms in np.median(figures, axis=0)]
    return Compared(
        round_trip_ms,
        middle[4],
        Costs(middle[0], middle[1]),
        Costs(middle[2], middle[3]),
        float(np.median(figures[:, 2] / figures[:, 0])),
        float(np.median(embedded)),
    )


async def recalls(
    index: PartitionedIndex,
    remote: Database,
    vectors: Vectors,
    documents: Sequence[Document],
    queries: Vectors,
) -> tuple[float, float]:
    """Return the share of the true five nearest that each finds."""
    number = {document.key: n for n, document in enumerate(documents)}
    found = np.zeros(2)
    for query in queries:
        true = _nearest(vectors, query)
        mine = {number[c.key] for c in await index.search(PARTITION, query, TOP_K)}
        found += len(true & mine), len(true & set(await remote.nearest(query)))
    share: NDArray[Any] = found / (TOP_K * len(queries))
    return float(share[0]), float(share[1])


def _nearest(vectors: Vectors, query: Vectors) -> set[int]:
    return set(np.argpartition(vectors @ query, -TOP_K)[-TOP_K:].tolist())
