from __future__ import annotations

from cachemw_policies.recompute.selectors.nothing import Nothing

from tests.support.selecting import depths_of


def _depths(quota: list[int]) -> list[int]:
    return depths_of(Nothing(), quota)


def test_nothing_is_recomputed() -> None:
    assert _depths([2, 3]) == [0] * 5
