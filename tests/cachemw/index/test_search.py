"""Searches beside changes: what is removed is not found, and nothing is mistaken for another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cachemw.index.hnsw import HnswIndex
from cachemw.index.partitions import PartitionedIndex
from tests.cachemw.index.test_rebuild import DIMENSION, NEVER, SMALL, P, clustered


async def test_what_was_removed_is_not_found_even_before_its_graph_knows() -> None:
    index, vectors = PartitionedIndex(DIMENSION, SMALL), clustered(150)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    release = threading.Event()
    index._graphs.submit(lambda: release.wait(30), urgent=True)
    assert await index.remove(b"7")  # waits on the lane, behind every search
    threading.Timer(0.05, release.set).start()
    found = await index.search(P, vectors[7], 5)
    assert b"7" not in {one.key for one in found}
    assert len(found) >= 4
    await index.aclose()


async def test_a_search_across_a_swap_does_not_mistake_one_entry_for_another() -> None:
    """The number of a removed entry is given to another key while a search is under way."""
    index, vectors = PartitionedIndex(DIMENSION, SMALL), clustered(160)
    for n, vector in enumerate(vectors[:150]):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    (segment,) = index._segments.values()
    old = segment.index
    replacement = HnswIndex(DIMENSION)
    for entry in old.entries():
        if entry != 7:
            replacement.add(entry, vectors[entry])
    replacement.add(7, vectors[155])
    real = index._graphs.run
    calls = 0

    async def swap_meanwhile(call: Callable[[], Any], *, urgent: bool) -> object:
        nonlocal calls
        calls += 1
        answer = await real(call, urgent=urgent)
        segment.index = replacement
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index._graphs, "run", swap_meanwhile)
        (best,) = await index.search(P, vectors[7], 1)
    assert calls == 2
    assert best.similarity < 0.999  # entry 7 stands elsewhere by now
    await index.aclose()


async def test_a_graph_that_finds_fewer_than_there_are_is_built_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index, vectors = PartitionedIndex(DIMENSION, SMALL), clustered(150)
    for n, vector in enumerate(vectors):
        await index.add(P, b"%d" % n, vector, NEVER)
    await index.settled()
    for n in range(20):
        await index.remove(b"%d" % n)
    await index.settled()
    built = index.stats().builds
    whole = HnswIndex.query

    def short(self: HnswIndex, vector: Any, k: int) -> Any:
        labels, distances = whole(self, vector, k)
        return labels[:1], distances[:1]

    with monkeypatch.context() as patch:
        patch.setattr(HnswIndex, "query", short)
        (only,) = await index.search(P, vectors[60], 5)
    assert only.key == b"60"
    await index.settled()
    assert (index.stats().builds, index.stats().tombstones) == (built + 1, 0)
    found = await index.search(P, vectors[60], 5)
    best = np.sort(vectors[20:] @ vectors[60])[::-1][:5]
    assert np.allclose([one.similarity for one in found], best, atol=1e-5)
    await index.aclose()
