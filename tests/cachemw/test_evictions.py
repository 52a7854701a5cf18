"""What the quota's evictor removes leaves memory and index, and is counted."""

from __future__ import annotations

from typing import Any

from cachemw.admin.build import Copies
from cachemw.evictions import Evictions
from cachemw.exact import Resident
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.semantic import SemanticParts, SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.memory import MemoryStore
from tests.cachemw import parts
from tests.cachemw.quotas.conftest import NOW, document, key
from tests.support.service import DIMENSION, Clock, unit
from tests.support.tiers import exact_tier


def indexed(index: PartitionedIndex, metrics: Metrics, clock: Clock) -> SemanticTier:
    """Return a semantic tier of which only the index is used."""
    tier = parts.semantic_tier(parts.board(), DependencyState("semantic"), metrics, clock)
    nothing: Any = None
    tier.attach(SemanticParts(nothing, nothing, index, nothing))
    return tier


async def test_what_is_removed_leaves_memory_and_index() -> None:
    metrics, clock = Metrics(), Clock(NOW)
    lru: ByteLru[Resident] = ByteLru(1 << 20)
    exact = exact_tier(MemoryStore(clock, 1 << 20), clock, metrics, lru=lru)
    index = PartitionedIndex(DIMENSION, IndexSettings())
    for number in range(3):
        await exact.put(document(number))
        await index.add(b"p" * 32, key(number), unit(number), NOW + 1)
    evictions = Evictions(Copies(exact, indexed(index, metrics, clock)), metrics)
    await evictions.forget([key(0), key(2)])
    assert [lru.get(key(number)) is not None for number in range(3)] == [False, True, False]
    assert [index.holds(key(number)) for number in range(3)] == [False, True, False]


async def test_without_a_semantic_tier_memory_is_all_there_is() -> None:
    metrics, clock = Metrics(), Clock(NOW)
    lru: ByteLru[Resident] = ByteLru(1 << 20)
    exact = exact_tier(MemoryStore(clock, 1 << 20), clock, metrics, lru=lru)
    await exact.put(document(0))
    await Evictions(Copies(exact, None), metrics).forget([key(0)])
    assert len(lru) == 0


def test_they_are_counted_by_category_and_reason() -> None:
    metrics = Metrics()
    clock = Clock(NOW)
    exact = exact_tier(MemoryStore(clock, 1 << 20), clock, metrics)
    evictions = Evictions(Copies(exact, None), metrics)
    for category, reason, count in (
        ("code", "quota", 3),
        ("code", "quota", 4),
        ("a", "expired", 1),
    ):
        evictions.evicted(category, reason, count)
    name = "cachemw_evictions_total"

    def value(**labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    assert value(category="code", reason="quota") == 7
    assert value(category="a", reason="expired") == 1
