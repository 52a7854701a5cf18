from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.category import Quota

from loadtests.eviction.flood import FLOOD, QUIET, Mixed, Shared, mixed, outcome
from loadtests.eviction.replay import POLICIES
from loadtests.eviction.streams import Stream


def streams() -> tuple[Stream, Stream]:
    """Return a stream that asks for 50 items again and again, and one that repeats nothing."""
    rng = np.random.default_rng(1)
    quiet = Stream(
        rng.integers(0, 50, 3000), np.arange(3000, dtype=np.float64), np.ones(50), np.full(50, 1.0)
    )
    flood = Stream(
        np.arange(4000), np.arange(4000, dtype=np.float64), np.ones(4000), np.full(4000, 50.0)
    )
    return quiet, flood


@pytest.fixture
def both() -> Mixed:
    return mixed(*streams(), 1.0, np.random.default_rng(2))


def shared(both: Mixed, guarantee: float, capacity: float = 60.0) -> Shared:
    quotas = {QUIET: Quota(guaranteed=guarantee), FLOOD: Quota()}
    return Shared(both.stream, both.first_flood, capacity, quotas)


def test_the_flood_comes_in_the_middle(both: Mixed) -> None:
    quiet = both.quiet
    assert int(quiet.sum()) == 3000
    assert quiet[:900].all()
    assert quiet[-900:].all()
    assert not quiet[both.during].all()
    assert sorted(both.stream.times) == both.stream.times.tolist()


def test_a_part_of_the_quiet_stream_may_be_kept() -> None:
    thinner = mixed(*streams(), 0.1, np.random.default_rng(2))
    assert 200 < int(thinner.quiet.sum()) < 400


def test_a_guarantee_keeps_the_quiet_one_going(both: Mixed) -> None:
    alone = outcome(both, POLICIES["ours"](both.stream, 60.0))
    kept = outcome(both, shared(both, 0.9), 0.8)
    assert alone.least is None
    assert kept.quiet_during > 0.95
    assert alone.quiet_during < 0.5
    assert kept.least is not None
    assert kept.least >= 0.8 * 0.99
    assert kept.flood == 0


def test_who_never_held_its_guarantee_has_no_least_share(both: Mixed) -> None:
    assert outcome(both, shared(both, 0.9, capacity=600.0), 0.9).least is None
