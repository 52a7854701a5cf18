from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cachemw.embed.recent import RecentVectors

VECTOR = np.ones(8, dtype=np.float32)


def test_the_least_recently_used_goes_first() -> None:
    one = RecentVectors(10_000)
    one.put("a", VECTOR)
    recent = RecentVectors(2 * one.bytes_held)
    recent.put("a", VECTOR)
    recent.put("b", VECTOR)
    assert recent.get("a") is VECTOR
    recent.put("c", VECTOR)
    assert recent.get("b") is None
    assert recent.get("a") is VECTOR
    assert recent.get("c") is VECTOR


def test_zero_bytes_hold_nothing() -> None:
    recent = RecentVectors(0)
    recent.put("a", VECTOR)
    assert recent.get("a") is None


@given(st.lists(st.text(max_size=40)), st.integers(0, 2000))
def test_the_bound_holds_and_the_account_is_right(texts: list[str], max_bytes: int) -> None:
    recent = RecentVectors(max_bytes)
    for text in texts:
        recent.put(text, VECTOR)
        assert recent.bytes_held <= max_bytes
    if len(recent) == 0:
        assert recent.bytes_held == 0
    unbounded = RecentVectors(10**9)
    for text in texts:
        unbounded.put(text, VECTOR)
    assert len(unbounded) == len(set(texts))
