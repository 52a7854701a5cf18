from __future__ import annotations

from cachemw_policies.recompute.selectors.inter_attention import InterAttention

from tests.support.selecting import depths_of


def _depths(quota: list[int]) -> list[int]:
    return depths_of(InterAttention(), quota, inter=[0.1, 0.2, 0.9, 0.5, 0.8])


def test_the_highest_of_each_chunk() -> None:
    assert _depths([1, 1]) == [0, 3, 3, 0, 0]


def test_a_quota_is_not_moved_between_chunks() -> None:
    assert _depths([1, 0]) == [0, 3, 0, 0, 0]
