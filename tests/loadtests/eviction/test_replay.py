from __future__ import annotations

import numpy as np
import pytest

from loadtests.eviction.replay import POLICIES, Estimate, Score, hits, ours, replayed, score
from loadtests.eviction.streams import Stream


def stream(count: int = 2000) -> Stream:
    rng = np.random.default_rng(1)
    items = (rng.zipf(1.3, count) % 300).astype(np.int64)
    return Stream(
        items,
        np.arange(count, dtype=np.float64),
        rng.uniform(1, 9, 300),
        rng.choice([1.0, 10.0], 300),
    )


def test_hits_are_scored_by_number_bytes_and_savings() -> None:
    asked = Stream(np.array([0, 0, 1, 1]), np.arange(4.0), np.array([1.0, 3.0]), np.array([9, 1.0]))
    assert score(asked, np.array([False, True, False, False])) == Score(0.25, 0.125, 0.45)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_can_be_replayed(name: str) -> None:
    asked = stream()
    found = replayed(asked, POLICIES[name], 0.2)
    most = replayed(asked, POLICIES["unbounded"], 0.2)
    assert 0 < found.hits <= most.hits
    assert 0 < found.saved <= most.saved


def test_ours_saves_more_than_what_looks_at_recency_alone() -> None:
    asked = stream(20_000)
    assert replayed(asked, ours(), 0.1).saved > replayed(asked, POLICIES["LRU"], 0.1).saved


def test_hits_say_which_requests() -> None:
    asked = stream(50)
    assert hits(asked, POLICIES["unbounded"](asked, 0)).sum() == 50 - len(set(asked.items.tolist()))


def test_an_estimate_has_students_interval() -> None:
    found = Estimate.of([0.1, 0.2, 0.3])
    assert found.value == pytest.approx(0.2)
    assert found.reach == pytest.approx(4.303 * 0.1 / 3**0.5)
    assert str(found) == "20.0% ± 24.8"
    assert str(Estimate.of([0.5])) == "50.0% ± nan"
