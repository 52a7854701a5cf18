from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.eviction.classic import Lfu, Lru, Policy, TinyLfu, Unbounded

SIZES = [1.0] * 10


def asked(policy: Policy, items: str) -> str:
    """Return `+` for a hit and `-` for a miss of each item."""
    return "".join("+" if policy.ask(int(item)) else "-" for item in items)


def test_lru_gives_up_what_was_not_used_for_longest() -> None:
    assert asked(Lru(SIZES, 2), "01020201") == "--+-+++-"


def test_lfu_gives_up_what_was_used_least() -> None:
    assert asked(Lfu(SIZES, 2), "000112213") == "-++-+-+--"


def test_lfu_forgets_what_it_gave_up() -> None:
    assert asked(Lfu(SIZES, 1), "00010") == "-++--"


def test_tiny_lfu_keeps_what_is_popular_through_a_scan() -> None:
    policy = TinyLfu([1.0] * 2000, 20)
    for _ in range(5):
        for item in range(10):
            policy.ask(item)
    for item in range(100, 2000):
        policy.ask(item)
    assert sum(policy.ask(item) for item in range(10)) >= 8


def test_unbounded_misses_once() -> None:
    assert asked(Unbounded(), "0101") == "--++"


@pytest.mark.parametrize("make", [Lru, Lfu, TinyLfu])
@given(items=st.lists(st.integers(0, 9), max_size=60))
def test_none_hits_more_than_keeping_all(make: type[Lru], items: list[int]) -> None:
    policy, all_kept = make(SIZES, 4.0), Unbounded()
    for item in items:
        assert policy.ask(item) <= all_kept.ask(item)


@pytest.mark.parametrize("make", [Lru, Lfu])
@given(items=st.lists(st.integers(0, 9), max_size=60))
def test_with_room_for_all_nothing_goes(make: type[Lru], items: list[int]) -> None:
    policy, all_kept = make(SIZES, 10.0), Unbounded()
    for item in items:
        assert policy.ask(item) == all_kept.ask(item)
