from __future__ import annotations

import pytest

from loadtests.stats import Spread, median_difference, median_ratio, middle, spread


def test_a_spread_is_the_median_and_the_99th_percentile() -> None:
    assert spread([float(n) for n in range(101)]) == Spread(50.0, 99.0)


def test_ratios_are_taken_round_by_round() -> None:
    # The machine slowed down fourfold; the ratio did not move.
    assert median_ratio([50.0, 12.5, 25.0], [100.0, 25.0, 50.0]) == 0.5


def test_an_odd_round_does_not_move_the_ratio() -> None:
    assert median_ratio([5.0, 5.0, 0.1], [10.0, 10.0, 10.0]) == 0.5


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        median_ratio([1.0], [1.0, 2.0])


def test_differences_are_taken_round_by_round() -> None:
    through = [Spread(3.0, 9.0), Spread(13.0, 19.0), Spread(4.0, 90.0)]
    direct = [Spread(1.0, 2.0), Spread(11.0, 12.0), Spread(1.0, 2.0)]
    assert median_difference(through, direct) == Spread(2.0, 7.0)


def test_the_middle_of_rounds() -> None:
    assert middle([Spread(1.0, 7.0), Spread(3.0, 5.0), Spread(2.0, 6.0)]) == Spread(2.0, 6.0)
