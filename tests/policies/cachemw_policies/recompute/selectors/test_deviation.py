from __future__ import annotations

from cachemw_policies.recompute.selectors.deviation import Deviation

from tests.support.selecting import depths_of


def _depths(quota: list[int]) -> list[int]:
    return depths_of(Deviation(), quota, deviation=[0.5, 0.5, 0.9, 0.1, 0.8])


def test_the_highest_anywhere_whichever_chunk_the_quota_is_of() -> None:
    assert _depths([2, 0]) == [0, 0, 3, 0, 3]


def test_of_equals_the_first() -> None:
    assert _depths([3, 0]) == [3, 0, 3, 0, 3]
