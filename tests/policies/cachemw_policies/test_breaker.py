"""The circuit breaker, event by event."""

from __future__ import annotations

from math import inf

import pytest
from cachemw_policies.breaker import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    admit,
    failed,
    succeeded,
    tripped,
)
from hypothesis import given
from hypothesis import strategies as st

POLICY = BreakerPolicy(failures=3, seconds=5.0)


def opened(at: float = 100.0) -> Breaker:
    breaker = Breaker()
    for _ in range(POLICY.failures):
        breaker = failed(breaker, POLICY, at, at)
    return breaker


def test_closed_lets_everything_through() -> None:
    assert admit(Breaker(), POLICY, 0.0) == (Breaker(), True)


def test_failures_in_a_row_open_it() -> None:
    breaker = failed(failed(Breaker(), POLICY, 1.0, 1.0), POLICY, 2.0, 2.0)
    assert breaker.state is BreakerState.CLOSED
    breaker = failed(breaker, POLICY, 3.0, 3.5)
    assert breaker == Breaker(BreakerState.OPEN, 3.5, 3, 8.5)
    assert admit(breaker, POLICY, 8.4) == (breaker, False)


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = failed(failed(Breaker(), POLICY, 1.0, 1.0), POLICY, 2.0, 2.0)
    breaker = succeeded(breaker, 2.0, 3.0)
    breaker = failed(failed(breaker, POLICY, 3.0, 3.0), POLICY, 4.0, 4.0)
    assert breaker.state is BreakerState.CLOSED


def test_one_probe_goes_after_the_wait() -> None:
    probing, allowed = admit(opened(), POLICY, 105.0)
    assert allowed
    assert probing.state is BreakerState.HALF_OPEN
    assert admit(probing, POLICY, 105.0) == (probing, False)


def test_the_probe_closes_or_opens_it_again() -> None:
    probing, _ = admit(opened(), POLICY, 105.0)
    closed = succeeded(probing, 105.0, 106.0)
    assert closed == Breaker(since=106.0)
    again = failed(probing, POLICY, 105.0, 106.0)
    assert (again.state, again.probe_at) == (BreakerState.OPEN, 111.0)


def test_a_probe_that_never_ends_does_not_hold_up_the_next() -> None:
    probing, _ = admit(opened(), POLICY, 105.0)
    second, allowed = admit(probing, POLICY, 110.0)
    assert allowed
    # The first one's outcome still counts: it is about the present, if late.
    assert succeeded(second, 105.0, 111.0).state is BreakerState.CLOSED


@pytest.mark.parametrize("began", [99.0, 100.0])
def test_outcomes_of_calls_from_before_do_not_count(began: float) -> None:
    breaker = opened()
    assert failed(breaker, POLICY, began, 104.0) == breaker
    assert succeeded(breaker, began, 104.0) == breaker
    probing, _ = admit(breaker, POLICY, 105.0)
    assert failed(probing, POLICY, began, 105.5) == probing
    assert succeeded(probing, began, 105.5) == probing
    closed = succeeded(probing, 105.0, 106.0)
    for _ in range(POLICY.failures):
        closed = failed(closed, POLICY, began, 107.0)
    assert closed.state is BreakerState.CLOSED


def test_tripped_is_open_without_a_call() -> None:
    breaker = tripped(POLICY, 100.0)
    assert breaker == opened(100.0)
    assert admit(breaker, POLICY, 104.9) == (breaker, False)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_a_policy_without_sense_is_refused(failures: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="a breaker needs"):
        BreakerPolicy(failures, seconds)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "succeed", "fail"]),
        st.floats(0, 10),
        st.floats(0, 10),
    ),
    max_size=60,
)


@given(EVENTS)
def test_never_stuck_and_at_most_one_probe_at_a_time(
    events: list[tuple[str, float, float]],
) -> None:
    breaker, now = Breaker(), 0.0
    last_probe = -inf
    for kind, pause, age in events:
        now += pause
        if kind == "ask":
            was_closed = breaker.state is BreakerState.CLOSED
            breaker, allowed = admit(breaker, POLICY, now)
            if allowed and not was_closed:
                assert now >= last_probe + POLICY.seconds
                last_probe = now
        elif kind == "succeed":
            breaker = succeeded(breaker, now - age, now)
        else:
            breaker = failed(breaker, POLICY, now - age, now)
        if breaker.state is BreakerState.CLOSED:
            assert breaker.failures < POLICY.failures
    _, allowed = admit(breaker, POLICY, now + POLICY.seconds)
    assert allowed
