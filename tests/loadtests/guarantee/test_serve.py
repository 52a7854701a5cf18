"""What policies make of streams that are easy to judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cachemw_policies.shadowing import ShadowSettings
from cachemw_policies.thresholds import GuaranteeSettings

from loadtests.guarantee.serve import Pooled, Run, fixed, policy_of, verified
from loadtests.guarantee.streams import Stream


def easy(lookups: int = 4000, wrong_above: float = 0.0) -> Stream:
    """Return a stream whose scores above 0.8 are right but for a share, and the rest wrong."""
    rng = np.random.default_rng(6)
    scores = rng.random(lookups)
    near = rng.random(lookups) < 0.8
    same = near & (scores >= 0.8) & (rng.random(lookups) >= wrong_above)
    return Stream(near, np.where(near, scores, -1.0), scores, same, same, np.arange(lookups) % 10)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_fixed_threshold_serves_what_reaches_it() -> None:
    found = fixed(easy(), easy().scores, 0.9)
    assert (found.wrong_share, found.checks) == (0.0, 0)
    assert found.found_share == pytest.approx(0.5, abs=0.1)
    half = fixed(easy(), easy().scores, 0.6)
    assert half.wrong_share == pytest.approx(0.5, abs=0.05)
    assert half.found_share == 1.0


def test_shares_of_nothing_are_none() -> None:
    nothing = Run(lookups=10, served=0, right=0, possible=0, checks=0, first=None)
    assert (nothing.wrong_share, nothing.found_share) == (0.0, 0.0)


def test_probation_ends_when_labels_prove_the_threshold() -> None:
    found = Pooled().run(easy(), policy_of(0.05, 0.97), rng())
    assert found.first is not None
    assert found.first > 300
    assert found.wrong_share <= 0.05
    assert found.found_share > 0.5


def test_a_cold_start_serves_at_once_and_checks_everything_at_first() -> None:
    policy = Pooled(GuaranteeSettings(cold_start="threshold"))
    found = policy.run(easy(400), policy_of(0.05, 0.9), rng())
    assert found.first is not None
    assert found.first < 100
    assert found.checks == found.served > 0


def test_probation_serves_nothing_that_is_too_often_wrong() -> None:
    found = Pooled().run(easy(wrong_above=0.2), policy_of(0.05, 0.97), rng())
    assert (found.served, found.first, found.checks) == (0, None, 0)


def test_checks_fall_to_a_share_of_what_is_served() -> None:
    stream = easy(20_000)
    sparse = Pooled(shadow=ShadowSettings(share=0.01)).run(stream, policy_of(0.05, 0.97), rng())
    all_of_it = Pooled(shadow=ShadowSettings(share=1.0)).run(stream, policy_of(0.05, 0.97), rng())
    assert all_of_it.checks == all_of_it.served
    assert sparse.checks < all_of_it.checks / 3


def test_wrong_labels_are_heard_and_true_ones_counted() -> None:
    stream = easy()
    flattered = replace(stream, same=np.zeros(len(stream), dtype=np.bool_))
    found = Pooled().run(flattered, policy_of(0.05, 0.97), rng())
    assert found.served > 0
    assert found.wrong_share == 1.0


def test_vcache_learns_entries_that_are_asked_for_often() -> None:
    found = verified(easy(), 0.05, rng())
    assert found.found_share > 0.2
    assert found.served - found.right <= 0.05 * found.lookups


def test_vcache_serves_no_entry_that_is_asked_for_rarely() -> None:
    stream = easy(300)
    once = replace(stream, entries=np.arange(300))
    assert verified(once, 0.05, rng()).served == 0
