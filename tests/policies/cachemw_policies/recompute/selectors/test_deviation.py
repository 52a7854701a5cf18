from __future__ import annotations

import numpy as np
from cachemw_policies.recompute.evidence import Evidence
from cachemw_policies.recompute.selectors.deviation import Deviation


def _depths(quota: list[int]) -> list[int]:
    zeros = np.zeros(5, dtype=np.float32)
    evidence = Evidence(
        chunk=np.array([0, 0, 1, 1, 1]),
        offset=np.array([0, 1, 0, 1, 2]),
        layers=3,
        inter=zeros,
        carried=zeros,
        deviation=np.array([0.5, 0.5, 0.9, 0.1, 0.8], dtype=np.float32),
        question=None,
    )
    depths: list[int] = (
        Deviation().depths(evidence, np.array(quota), np.random.default_rng(1)).tolist()
    )
    return depths


def test_the_highest_anywhere_whichever_chunk_the_quota_is_of() -> None:
    assert _depths([2, 0]) == [0, 0, 3, 0, 3]


def test_of_equals_the_first() -> None:
    assert _depths([3, 0]) == [3, 0, 3, 0, 3]
