"""When a graph is built anew."""

from __future__ import annotations

from random import Random

import pytest

from cachemw.index.health import SearchHealth, wants_graph, wants_rebuild, wants_scan


def after(slow_share: float, searches: int, seed: int = 0) -> SearchHealth:
    health, rng = SearchHealth(), Random(seed)
    for _ in range(64):
        health.note(0.0002 * rng.uniform(0.7, 1.5))
    for _ in range(searches):
        slow = rng.random() < slow_share
        health.note(0.005 if slow else 0.0002 * rng.uniform(0.7, 1.5))
    return health


def test_searches_that_vary_as_they_do_are_no_damage() -> None:
    assert not after(0.0, 10_000).damaged


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_one_now_and_then_is_no_damage(seed: int) -> None:
    assert not after(0.001, 5000, seed).damaged


@pytest.mark.parametrize("seed", range(5))
def test_many_slow_ones_are_noticed_soon(seed: int) -> None:
    assert after(0.1, 300, seed).damaged


def test_a_graph_that_falls_short_is_damaged() -> None:
    health = SearchHealth()
    health.fell_short()
    assert health.damaged


def test_a_graph_is_rebuilt_for_its_tombstones() -> None:
    assert not wants_rebuild(1000, 500, damaged=False)
    assert wants_rebuild(1000, 501, damaged=False)
    assert not wants_rebuild(1000, 50, damaged=True)
    assert wants_rebuild(1000, 51, damaged=True)
    assert wants_rebuild(0, 1, damaged=False)


def test_a_partition_at_the_switch_point_does_not_go_to_and_fro() -> None:
    assert [wants_graph(live, 100) for live in (100, 101)] == [False, True]
    assert [wants_scan(live, 100) for live in (50, 51, 101)] == [True, False, False]
