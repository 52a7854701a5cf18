from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.lbfgs import Point, minimised
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 30), st.integers(0, 1000), st.floats(1.0, 1e4))
def test_a_quadratic_form_has_its_least_where_the_gradient_is_none(
    size: int, seed: int, condition: float
) -> None:
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(size, size)))
    matrix = axes @ np.diag(np.geomspace(1.0, condition, size)) @ axes.T
    target = rng.normal(size=size)

    def form(x: Point) -> tuple[float, Point]:
        slope = matrix @ (x - target)
        return 0.5 * float((x - target) @ slope), slope

    found = minimised(form, np.zeros(size), tolerance=1e-8, max_iterations=2000)
    assert found == pytest.approx(target, abs=1e-5)


def test_where_the_function_is_least_already_nothing_moves() -> None:
    start = np.array([3.0])
    found = minimised(lambda _: (0.0, np.zeros(1)), start, tolerance=0.0, max_iterations=10)
    assert found is start


def test_the_number_of_iterations_is_bounded() -> None:
    calls = 0

    def slide(x: Point) -> tuple[float, Point]:
        nonlocal calls
        calls += 1
        return float(np.exp(-x[0])), -np.exp(-x)

    minimised(slide, np.zeros(1), tolerance=0.0, max_iterations=5)
    assert 1 < calls < 5 * 41


def test_a_function_that_only_rises_ends_the_search() -> None:
    start = np.zeros(2)
    # The slope promises what the values do not keep, as rounding does near the end.
    found = minimised(
        lambda x: (0.0 if x is start else 1.0, np.ones(2)),
        start,
        tolerance=1e-9,
        max_iterations=100,
    )
    assert found is start


def test_a_function_that_is_no_number_ends_the_search() -> None:
    found = minimised(
        lambda x: (float("nan"), np.full(1, np.nan)), np.zeros(1), tolerance=1e-9, max_iterations=9
    )
    assert found == pytest.approx(0.0)
