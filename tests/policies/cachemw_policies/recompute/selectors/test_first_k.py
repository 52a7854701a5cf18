from __future__ import annotations

import numpy as np
from cachemw_policies.recompute.evidence import Evidence
from cachemw_policies.recompute.selectors.first_k import FirstK


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
        FirstK().depths(evidence, np.array(quota), np.random.default_rng(1)).tolist()
    )
    return depths


def test_the_first_of_each_chunk() -> None:
    assert _depths([1, 2]) == [3, 0, 3, 3, 0]


def test_a_quota_is_not_moved_between_chunks() -> None:
    assert _depths([2, 0]) == [3, 3, 0, 0, 0]
