"""The breaker of an upstream, and the one line and gauge that tell its state."""

from __future__ import annotations

import logging

import pytest
from cachemw_policies.breaker import BreakerPolicy

from cachemw.errors import UpstreamOpen
from cachemw.states import DependencyState
from cachemw.upstreams.health import UpstreamHealth
from tests.cachemw.upstreams.conftest import Clock


@pytest.fixture
def changes() -> list[bool]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(changes: list[bool], clock: Clock) -> UpstreamHealth:
    state = DependencyState("upstream:a", changes.append)
    return UpstreamHealth("a", BreakerPolicy(failures=3, seconds=5.0), state, clock)


def fail(health: UpstreamHealth, times: int) -> None:
    for _ in range(times):
        health.failed(health.admit(), "Kind")


def test_failures_in_a_row_open_it(
    health: UpstreamHealth, changes: list[bool], clock: Clock
) -> None:
    fail(health, 2)
    health.whole(health.admit())
    fail(health, 2)
    assert not health.is_open
    fail(health, 1)
    assert health.is_open
    clock.now += 3.5
    with pytest.raises(UpstreamOpen) as caught:
        health.admit()
    assert caught.value.headers == ((b"retry-after", b"2"),)
    assert changes == [True, False]


def test_one_probe_goes_and_its_head_closes_it(
    health: UpstreamHealth, changes: list[bool], clock: Clock
) -> None:
    fail(health, 3)
    clock.now += 5.0
    assert not health.is_open
    began = health.admit()
    with pytest.raises(UpstreamOpen):
        health.admit()
    health.head(began)
    health.admit()
    assert changes == [False, True]


def test_a_probe_that_fails_opens_it_again_without_a_word(
    health: UpstreamHealth, changes: list[bool], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fail(health, 3)
    for _ in range(4):
        clock.now += 5.0
        fail(health, 1)
        assert health.is_open
    assert changes == [False]
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1


def test_heads_alone_do_not_make_up_for_broken_bodies(health: UpstreamHealth) -> None:
    for _ in range(3):
        began = health.admit()
        health.head(began)
        health.failed(began, "broken")
    assert health.is_open


def test_a_late_failure_from_before_the_recovery_does_not_count(
    health: UpstreamHealth, clock: Clock
) -> None:
    old = [health.admit() for _ in range(5)]
    fail(health, 3)
    clock.now += 5.0
    health.head(health.admit())
    for began in old:
        health.failed(began, "late")
    assert not health.is_open
