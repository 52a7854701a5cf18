import pytest

from loadtests.lab.schedule import cosine_with_warmup, hurried


def test_the_rate_rises_then_falls() -> None:
    rates = [cosine_with_warmup(step, steps=100, warmup=10) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert cosine_with_warmup(100, steps=100, warmup=10) == pytest.approx(0.01)


def test_without_a_clock_nothing_changes() -> None:
    for step in range(100):
        assert hurried(step, 100, 10, spent=0.0) == cosine_with_warmup(step, 100, 10)


def test_time_brings_the_end_nearer_but_not_the_warm_up() -> None:
    assert hurried(0, 100, 10, spent=0.5) == pytest.approx(0.1)
    assert hurried(30, 100, 10, spent=0.7) == cosine_with_warmup(70, 100, 10)
    assert hurried(80, 100, 10, spent=0.7) == cosine_with_warmup(80, 100, 10)
    assert hurried(30, 100, 10, spent=1.3) == pytest.approx(0.01)
