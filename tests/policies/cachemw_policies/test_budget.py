"""Token bucket: never more than a minute's worth and the rate, and debts are paid back."""

from __future__ import annotations

import pytest
from cachemw_policies.budget import Bucket, refilled, seconds_until, spent
from hypothesis import given
from hypothesis import strategies as st


def test_it_refills_continuously_up_to_a_minutes_worth() -> None:
    empty = Bucket(0, 100.0)

    assert refilled(empty, 60, 100.5) == Bucket(0.5, 100.5)
    assert refilled(empty, 60, 160.0) == Bucket(60, 160.0)
    assert refilled(empty, 60, 1e6).left == 60


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = Bucket(5, 100.0)

    assert refilled(bucket, 60, 90.0) == bucket


def test_how_long_until_there_is_enough() -> None:
    assert seconds_until(Bucket(0.5, 0), 60, 1) == 0.5
    assert seconds_until(Bucket(1, 0), 60, 1) == 0
    assert seconds_until(Bucket(-59, 0), 60, 1) == 60
    # More than it can ever hold is there when it is full.
    assert seconds_until(Bucket(0, 0), 60, 600) == 60


def test_what_is_owed_is_paid_back_first() -> None:
    owing = spent(Bucket(10, 0.0), 130)

    assert owing.left == -120
    assert refilled(owing, 60, 120.0).left == 0
    assert refilled(owing, 60, 121.0).left == pytest.approx(1)


@given(
    per_minute=st.integers(1, 10_000),
    waits=st.lists(st.floats(0, 100), max_size=60),
)
def test_no_span_lets_more_through_than_a_minutes_worth_and_the_rate(
    per_minute: int, waits: list[float]
) -> None:
    bucket, now, admitted = Bucket(per_minute, 0.0), 0.0, 0
    for wait in waits:
        now += wait
        bucket = refilled(bucket, per_minute, now)
        while bucket.left >= 1:
            bucket, admitted = spent(bucket, 1), admitted + 1
        assert admitted <= per_minute * (1 + now / 60) + 1e-6


@given(per_minute=st.integers(1, 10_000), left=st.floats(-1e6, 1e4))
def test_after_the_wait_there_is_enough(per_minute: int, left: float) -> None:
    bucket = Bucket(min(left, per_minute), 0.0)
    wait = seconds_until(bucket, per_minute, 1)

    assert refilled(bucket, per_minute, wait).left >= 1 - 1e-6
