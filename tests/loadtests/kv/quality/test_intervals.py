import numpy as np
import pytest

from loadtests.kv.quality.intervals import loss_percent, mean


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        found = mean(list(drawn.normal(0.3, 1, size=40)), np.random.default_rng(seed))
        assert found.low < found.value < found.high
        covered += found.low <= 0.3 <= found.high
    # 95 % of 200 are 190, less a little: the bootstrap is narrow for 40 samples.
    assert 178 <= covered <= 198


def test_nats_become_per_cent_of_perplexity() -> None:
    found = loss_percent([np.log(1.02)] * 5, np.random.default_rng(0))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


def test_the_same_generator_gives_the_same_interval() -> None:
    values = [0.1, 0.5, -0.3, 0.9]
    first, second = (mean(values, np.random.default_rng(7)) for _ in range(2))
    assert first == second
