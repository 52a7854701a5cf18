"""What the evidence in memory keeps, to the number."""

from __future__ import annotations

from typing import Any

from cachemw_policies.labels import Label, Source

from cachemw.stores.evidence import EvidenceBounds, LabelBatch, Served
from cachemw.stores.memory_evidence import MemoryEvidence

NOW = 1_795_000_000.0


def label(number: int) -> Label:
    return Label("faq", 0.5, True, Source.SHADOW, "verifier-1", float(number))


def hit(number: int, at: float = NOW) -> Served:
    return Served(str(number), b"k", "tenant", "faq", 0.5, "verifier-1", at)


async def test_labels_are_bounded(clock: Any) -> None:
    evidence = MemoryEvidence(clock, EvidenceBounds(labels=3))
    for number in range(5):
        await evidence.append([label(number)], bytes([number]))
    assert await evidence.labels("", 10) == LabelBatch((label(2), label(3), label(4)), "5")
    assert await evidence.labels("0", 10) == LabelBatch((label(2), label(3), label(4)), "5")
    assert await evidence.labels("4", 10) == LabelBatch((label(4),), "5")
    assert await evidence.labels("5", 10) == LabelBatch((), "5")
    assert await evidence.labels("6", 1) == LabelBatch((label(2),), "3", anew=True)


async def test_hits_are_bounded_by_number(clock: Any) -> None:
    evidence = MemoryEvidence(clock, EvidenceBounds(served=3))
    await evidence.remember([hit(0)])
    await evidence.remember([hit(1), hit(2), hit(0), hit(3)])
    taken = [await evidence.take(str(number), "tenant") for number in range(4)]
    assert taken == [hit(0), None, hit(2), hit(3)]


async def test_hits_are_bounded_by_time(clock: Any) -> None:
    evidence = MemoryEvidence(clock, EvidenceBounds(seconds=10))
    await evidence.remember([hit(0, NOW - 5), hit(1), hit(2, NOW - 10)])
    clock.now += 5
    await evidence.remember([hit(3)])
    assert list(evidence._served) == [("1", "tenant"), ("2", "tenant"), ("3", "tenant")]
    assert await evidence.take("2", "tenant") is None
