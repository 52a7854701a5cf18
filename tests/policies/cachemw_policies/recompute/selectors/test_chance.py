from __future__ import annotations

import numpy as np
from cachemw_policies.recompute.evidence import Evidence
from cachemw_policies.recompute.selectors.chance import Chance

from tests.support.selecting import depths_of


def _depths(quota: list[int]) -> list[int]:
    return depths_of(Chance(), quota)


def test_as_many_tokens_as_allowed() -> None:
    found = _depths([1, 1])
    assert sorted(found) == [0, 0, 0, 3, 3]


def test_every_token_is_as_likely_as_the_others() -> None:
    evidence = Evidence(
        chunk=np.array([0, 0, 1, 1, 1]),
        offset=np.array([0, 1, 0, 1, 2]),
        layers=1,
        inter=np.zeros(5, dtype=np.float32),
        carried=np.zeros(5, dtype=np.float32),
    )
    rng = np.random.default_rng(3)
    counts = sum(Chance().depths(evidence, np.array([0, 2]), rng) for _ in range(1000))
    assert np.all(np.abs(np.asarray(counts) - 400) < 80)
