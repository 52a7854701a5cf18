import pytest

from loadtests.lab.schedule import cosine_with_warmup


def test_the_rate_rises_then_falls() -> None:
    rates = [cosine_with_warmup(step, steps=100, warmup=10) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert cosine_with_warmup(100, steps=100, warmup=10) == pytest.approx(0.01)
