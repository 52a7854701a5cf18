"""One line and one gauge per change of a dependency, however often it is used."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.states import DependencyState


@given(st.lists(st.booleans(), max_size=20))
def test_a_change_is_told_once(calls: list[bool]) -> None:
    told: list[bool] = []
    state = DependencyState("store", told.append)

    for up in calls:
        state.up() if up else state.down("Timeout")

    assert told == [up for before, up in zip([None, *calls], calls, strict=False) if up != before]
    assert state.is_up is (not calls or calls[-1])


def test_one_line_per_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    state = DependencyState("store")

    for _ in range(3):
        state.up()  # the first success is no news
    for _ in range(3):
        state.down("StoreUnavailable")
    for _ in range(3):
        state.up()

    said = [(record.getMessage(), vars(record)["dependency"]) for record in caplog.records]
    assert said == [("dependency failed", "store"), ("dependency is back", "store")]
    assert vars(caplog.records[0])["reason"] == "StoreUnavailable"


def test_unknown_counts_as_up() -> None:
    assert DependencyState("store").is_up


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_failing_operation_keeps_it_down() -> None:
    clock = Clock()
    told: list[bool] = []
    state = DependencyState("store", told.append, monotonic=clock)
    for _ in range(20):
        state.down("StoreUnavailable", "put")
        clock.now += 1.0
        state.up("get")
    assert told == [False]
    state.up("put")
    assert told == [False, True]


def test_an_operation_that_is_not_tried_again_is_forgotten() -> None:
    clock = Clock()
    state = DependencyState("store", monotonic=clock)
    state.down("StoreUnavailable", "delete")
    clock.now = 4.9
    state.up("get")
    assert not state.is_up
    clock.now = 5.0
    assert not state.is_up  # time alone is no success
    state.up("get")
    assert state.is_up


def test_parts_that_fail_in_turns_with_others_are_told_once() -> None:
    clock = Clock()
    told: list[bool] = []
    state = DependencyState("store", told.append, settle_s=1.0, monotonic=clock)
    for _ in range(100):
        state.down("StoreUnavailable", "get")
        clock.now += 0.5
        state.up("get")
    assert told == [False]
    clock.now += 0.5
    state.up("get")
    assert told == [False, True]
