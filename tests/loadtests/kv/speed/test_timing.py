from __future__ import annotations

import pytest
import torch

from loadtests.kv.speed.timing import gigabytes_a_second, milliseconds


def test_rates_are_in_powers_of_ten() -> None:
    assert gigabytes_a_second(5_000_000_000, 50.0) == pytest.approx(100.0)


def test_without_a_gpu_the_hosts_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ran: list[int] = []
    assert milliseconds(lambda: ran.append(1), 5, warm=1) >= 0
    assert len(ran) == 2
