"""A segment counts what is walked, and remembers changes only while it is built anew."""

from __future__ import annotations

import asyncio

import numpy as np

from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.index.segment import Partition, Segment

VECTOR = np.array([1.0, 0.0], dtype=np.float32)


def test_tombstones_are_what_is_walked_beside_the_live() -> None:
    for index, tombstones in ((FlatIndex(2), 0), (HnswIndex(2), 1)):
        segment = Segment(0, Partition(b"p"), index)
        for entry in range(3):
            index.add(entry, VECTOR)
        index.remove(1)
        assert (segment.nodes, segment.tombstones) == (2 + tombstones, tombstones)


def test_changes_are_noted_while_there_is_a_build() -> None:
    segment = Segment(0, Partition(b"p"), FlatIndex(2))
    segment.note(1, VECTOR)
    assert segment.changed is None
    segment.changed = {}
    segment.note(1, VECTOR)
    segment.note(2, VECTOR)
    segment.note(1, None)
    assert {entry: vector is None for entry, vector in segment.changed.items()} == {
        1: True,
        2: False,
    }


async def test_an_insert_waits_from_freeze_to_thaw() -> None:
    segment = Segment(0, Partition(b"p"), FlatIndex(2))
    assert segment.frozen is None
    segment.freeze()
    segment.freeze()
    frozen = segment.frozen
    assert frozen is not None
    waiting = asyncio.create_task(frozen.wait())
    segment.thaw()
    assert await waiting
    assert segment.frozen is None
