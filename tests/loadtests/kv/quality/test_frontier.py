import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.kv.quality.frontier import (
    Point,
    frontier,
    interpolated,
    measured,
    ratios,
    steady,
)

FALLING = [Point(8, 0.1), Point(4, 1.0), Point(2, 3.0), Point(1, 10.0)]
points = st.lists(st.builds(Point, st.floats(0.5, 16), st.floats(-1, 100)), min_size=1, max_size=12)


@given(points)
def test_nothing_beats_what_is_on_the_frontier(all_points: list[Point]) -> None:
    kept = frontier(all_points)
    assert kept
    for point in all_points:
        assert any(k.bits <= point.bits and k.loss <= point.loss for k in kept)
    for one in kept:
        assert not any(p.bits <= one.bits and p.loss <= one.loss and p != one for p in kept)


@given(points, st.floats(-1, 100))
def test_the_curve_is_as_good_as_its_best_point(all_points: list[Point], limit: float) -> None:
    best, read = measured(all_points, limit), interpolated(all_points, limit)
    assert (best is None) == (read is None)
    if best is not None and read is not None:
        assert min(p.bits for p in all_points) * 0.999 <= read <= best * 1.001


def test_size_is_interpolated_in_its_logarithm() -> None:
    assert interpolated(FALLING, 2.0) == pytest.approx(math.sqrt(4 * 2))
    assert interpolated(FALLING, 1.0) == pytest.approx(4)


def test_nothing_is_read_beyond_the_ends() -> None:
    assert interpolated(FALLING, 50.0) == 1
    assert interpolated(FALLING, 0.05) is None


def test_a_loss_that_falls_counts_with_the_worst_before() -> None:
    noisy = [Point(2, -1.0), Point(8, 0.2), Point(4, 1.5)]
    assert steady(noisy) == [Point(8, 0.2), Point(4, 1.5), Point(2, 1.5)]
    assert measured(steady(noisy), 1.0) == 8


def test_half_the_size_at_every_loss_is_a_ratio_of_a_half() -> None:
    halved = [Point(p.bits / 2, p.loss) for p in FALLING]
    assert ratios(halved, FALLING) == pytest.approx([0.5] * 4)
    assert ratios(FALLING, halved) == pytest.approx([2] * 4)


def test_sizes_are_compared_at_their_losses() -> None:
    assert ratios(FALLING, [Point(8, 0.1), Point(3, 1.0)]) == pytest.approx([1, 4 / 3])


def test_a_point_finer_than_our_finest_is_passed_over() -> None:
    assert ratios(FALLING, [Point(9, 0.01)]) == []
    assert ratios(FALLING, [Point(9, 0.01), Point(8, 0.1)]) == pytest.approx([1])
