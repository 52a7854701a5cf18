from __future__ import annotations

from cachemw_policies.recompute.selectors.first_k import FirstK

from tests.support.selecting import depths_of


def _depths(quota: list[int]) -> list[int]:
    return depths_of(FirstK(), quota)


def test_the_first_of_each_chunk() -> None:
    assert _depths([1, 2]) == [3, 0, 3, 3, 0]


def test_a_quota_is_not_moved_between_chunks() -> None:
    assert _depths([2, 0]) == [3, 3, 0, 0, 0]
