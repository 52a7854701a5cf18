"""How old an answer may be: an absolute lifetime, and limits that only tighten."""

from __future__ import annotations

import pytest
from cachemw_policies.freshness import Freshness, effective_ttl, freshness
from hypothesis import given
from hypothesis import strategies as st

times = st.integers(0, 10_000).map(float)
limits = st.none() | times


@pytest.mark.parametrize(
    ("now", "age", "ttl_left", "servable"),
    [
        (100, 0, 60, True),
        (159, 59, 1, True),
        (160, 60, 0, False),  # fresh while the lifetime exceeds the age
        (161, 61, -1, False),
    ],
)
def test_it_expires_at_its_time(now: float, age: float, ttl_left: float, *, servable: bool) -> None:
    found = freshness(created_at=100, expires_at=160, now=now)

    assert found == Freshness(age, ttl_left)
    assert found.servable is servable


def test_a_clock_set_back_makes_it_new_and_no_younger() -> None:
    found = freshness(created_at=100, expires_at=160, now=50, max_age=10)

    assert found == Freshness(age=0, ttl_left=10)


@pytest.mark.parametrize(
    ("max_age", "servable"), [(31, True), (30, False), (29, False), (0, False), (1000, True)]
)
def test_the_client_may_want_it_younger(max_age: float, *, servable: bool) -> None:
    found = freshness(created_at=100, expires_at=160, now=130, max_age=max_age)

    assert found.servable is servable


@given(times, times, times, times)
def test_the_client_never_extends_a_life(
    created_at: float, ttl: float, now: float, max_age: float
) -> None:
    alone = freshness(created_at, created_at + ttl, now)
    asked = freshness(created_at, created_at + ttl, now, max_age)

    assert asked.ttl_left <= alone.ttl_left
    assert not asked.servable or alone.servable


@given(times, times, times, limits)
def test_it_never_comes_back_to_life(
    created_at: float, ttl: float, now: float, max_age: float | None
) -> None:
    later = freshness(created_at, created_at + ttl, now + 1, max_age)

    assert not later.servable or freshness(created_at, created_at + ttl, now, max_age).servable


@given(times, limits)
def test_a_requested_ttl_only_shortens(configured: float, requested: float | None) -> None:
    ttl = effective_ttl(configured, requested)

    assert ttl <= configured
    assert ttl in (configured, requested)
    assert requested is None or ttl <= requested
