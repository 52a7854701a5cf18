from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadtests.eviction.batched import Batched, Clairvoyant, Decaying, Gdsf
from loadtests.eviction.classic import Lfu, Lru
from loadtests.eviction.streams import Stream

_ITEMS = st.lists(st.integers(0, 9), min_size=1, max_size=80)


def stream(items: list[int], saved: list[float] | None = None) -> Stream:
    numbers = np.array(items, dtype=np.int64)
    return Stream(numbers, numbers.astype(np.float64), np.ones(10), np.array(saved or [1.0] * 10))


def hits(policy: Batched | Lru | Lfu, items: list[int]) -> int:
    return sum(policy.ask(item) for item in items)


@given(_ITEMS)
def test_nobody_hits_more_than_the_clairvoyant(items: list[int]) -> None:
    asked = stream(items)
    best = hits(Batched(Clairvoyant(asked, costs=False), asked.sizes, 4.0), items)
    # Belady's is optimal where all is admitted; batches free one more than they must at times.
    for other in (
        Batched(Gdsf(asked), asked.sizes, 4.0),
        Batched(Decaying(asked, 4.0, 3.0, costs=True, ghosts=True), asked.sizes, 4.0),
    ):
        assert hits(other, items) <= best


def test_what_saves_more_stays() -> None:
    items = [0, 1, 2, 3, 4, 0]
    asked = stream(items, [100.0] + [1.0] * 9)
    assert hits(Batched(Gdsf(asked), asked.sizes, 3.0), items) == 1
    ours = Decaying(asked, 3.0, 3.0, costs=True, ghosts=False)
    assert hits(Batched(ours, asked.sizes, 3.0), items) == 1
    blind = Decaying(asked, 3.0, 3.0, costs=False, ghosts=False)
    assert hits(Batched(blind, asked.sizes, 3.0), items) == 0


def test_what_was_popular_and_went_is_remembered() -> None:
    """Used often, pushed out by a scan, used again: with ghosts it outlives the next scan."""
    popular, scan = [0] * 50, [n for n in range(1, 9) for _ in range(3)]
    items = popular + scan * 8 + [0] + scan[:12] + [0]
    asked = stream(items)
    with_ghosts = Batched(Decaying(asked, 2.0, 1.0, costs=True, ghosts=True), asked.sizes, 2.0)
    without = Batched(Decaying(asked, 2.0, 1.0, costs=True, ghosts=False), asked.sizes, 2.0)
    assert hits(with_ghosts, items) >= hits(without, items)


def test_the_clairvoyant_with_costs_gives_up_what_never_comes_again() -> None:
    items = [0, 1, 2, 1, 2]
    asked = stream(items, [1000.0] + [1.0] * 9)
    policy = Batched(Clairvoyant(asked, costs=True), asked.sizes, 2.05)
    assert [policy.ask(item) for item in items] == [False, False, False, True, True]


def test_the_cache_is_never_over_its_capacity() -> None:
    rng = np.random.default_rng(1)
    items = rng.integers(0, 10, 500).tolist()
    asked = stream(items)
    policy = Batched(Gdsf(asked), asked.sizes, 4.0)
    for item in items:
        policy.ask(item)
        assert int(policy._held.sum()) <= 4
