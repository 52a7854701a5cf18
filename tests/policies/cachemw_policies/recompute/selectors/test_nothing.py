from __future__ import annotations

import numpy as np
from cachemw_policies.recompute.evidence import Evidence
from cachemw_policies.recompute.selectors.nothing import Nothing


def _depths(quota: list[int]) -> list[int]:
    zeros = np.zeros(5, dtype=np.float32)
    evidence = Evidence(
        chunk=np.array([0, 0, 1, 1, 1]),
        offset=np.array([0, 1, 0, 1, 2]),
        layers=3,
        inter=zeros,
        carried=zeros,
        deviation=None,
        question=None,
    )
    depths: list[int] = (
        Nothing().depths(evidence, np.array(quota), np.random.default_rng(1)).tolist()
    )
    return depths


def test_nothing_is_recomputed() -> None:
    assert _depths([2, 3]) == [0] * 5
