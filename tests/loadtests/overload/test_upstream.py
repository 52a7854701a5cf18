"""The simulated upstream: slots, queue, refusals, and what is seen of it."""

from __future__ import annotations

from random import Random

import pytest

from loadtests.overload.upstream import Capacity, Upstream

ONE = Capacity(slots=1, waiting=2, first_s=1.0, prompt_tokens_s=1e9, answer_tokens_s=10.0)


def test_an_answer_takes_prompt_and_tokens() -> None:
    capacity = Capacity(first_s=0.5, prompt_tokens_s=1000.0, answer_tokens_s=50.0)
    assert capacity.reading_s(2000) == pytest.approx(2.5)
    assert capacity.answer_s(2000, 100) == pytest.approx(4.5)


def test_calls_wait_for_a_slot_and_the_last_are_turned_away() -> None:
    upstream = Upstream(ONE)
    taken = [upstream.call(0.0, 0, 10) for _ in range(4)]
    assert taken == [pytest.approx(2.0), pytest.approx(4.0), pytest.approx(6.0), None]
    assert upstream.figures.in_flight == 3


def test_the_service_sees_first_tokens_when_they_come() -> None:
    upstream = Upstream(ONE)
    upstream.call(0.0, 0, 10)
    upstream.call(0.0, 0, 10)
    assert upstream.seen_until(0.9).ttft_s is None
    assert upstream.seen_until(1.0).ttft_s == pytest.approx(1.0)
    seen = upstream.seen_until(3.0)
    assert seen.in_flight == 1
    assert 1.0 < seen.queueing < 3.0


def test_refusals_count_as_failed_calls() -> None:
    upstream = Upstream(ONE)
    for _ in range(4):
        upstream.call(0.0, 0, 10)
    assert upstream.figures.error == 1.0
    # Answers that come bring it down again.
    assert upstream.seen_until(20.0).error < 1.0
    assert upstream.figures.in_flight == 0


def test_all_slots_work_at_once() -> None:
    upstream = Upstream(Capacity(slots=3, waiting=0, first_s=1.0, prompt_tokens_s=1e9))
    assert [upstream.call(0.0, 0, 0) for _ in range(4)] == [1.0, 1.0, 1.0, None]


def test_what_is_asked_below_its_capacity_hardly_waits() -> None:
    rng, upstream = Random(1), Upstream(Capacity(slots=20))
    own = upstream.capacity.answer_s(1000, 200)
    now, waits = 0.0, []
    for _ in range(2000):
        now += rng.expovariate(0.5 * 20 / own)
        waits.append((upstream.call(now, 1000, 200) or 0.0) - own)
    assert sum(waits) / len(waits) < 0.05 * own
