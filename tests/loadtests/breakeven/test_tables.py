"""The report of what lookups cost."""

from __future__ import annotations

from loadtests.breakeven.measure import Compared, Costs
from loadtests.breakeven.tables import Conditions, Sized, report


def test_a_report_has_costs_rates_and_misses() -> None:
    near = Compared(0.0, 0.05, Costs(0.3, 0.5), Costs(0.6, 0.7), 2.0, 3.0)
    far = Compared(10.0, 10.1, Costs(0.3, 10.5), Costs(11.0, 11.2), 36.0, 3.0)
    sized = Sized(10_000, [near, far], (1.0, 0.98), (1.0, 3.0))
    text = report([sized], Conditions("2026-01-01", "0.10", "PostgreSQL 18", 100, 5))
    assert "| 10000, 10 ms | 10.10 | 0.30 | 10.50 | 11.00 | 11.20 | 36.0 | 3.00 | 4.2 |" in text
    assert "a miss of ours, 10000 vectors | <= 2 ms | 0.30 ms | pass" in text
    assert "with its embedding, 10000 vectors | <= 2 ms | 3.30 ms | **miss**" in text
    assert "0 ms away, 10000 vectors | >= 15 | 2.00 | **miss**" in text
    assert "10 ms away, 10000 vectors | >= 15 | 36.00 | pass" in text
    # A miss of 0.3 ms against half a second.
    assert "| 0 ms, 0.5 s | 0.060% |" in text
