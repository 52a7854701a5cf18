from __future__ import annotations

import pytest

from loadtests.kv.speed.timing import gigabytes_a_second


def test_rates_are_in_powers_of_ten() -> None:
    assert gigabytes_a_second(5_000_000_000, 50.0) == pytest.approx(100.0)
