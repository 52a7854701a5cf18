"""Room for checks."""

from __future__ import annotations

from cachemw.shadow.budget import CheckBudget
from tests.support.service import Clock


def test_checks_at_once_are_bounded() -> None:
    budget = CheckBudget(2, 100.0, Clock())
    assert budget.left == 2
    assert [budget.take() for _ in range(3)] == [True, True, False]
    assert budget.left == 0
    budget.end()
    assert budget.left == 1
    assert budget.take()


def test_checks_per_minute_are_bounded() -> None:
    clock = Clock()
    budget = CheckBudget(10, 3.0, clock)
    taken = []
    for _ in range(5):
        taken.append(budget.take())
        if taken[-1]:
            budget.end()
    assert taken == [True, True, True, False, False]
    clock.now += 20.0
    assert [budget.take(), budget.take()] == [True, False]


def test_a_budget_below_one_a_minute_is_none() -> None:
    clock = Clock()
    budget = CheckBudget(10, 0.0, clock)
    clock.now += 1e6
    assert not budget.take()
