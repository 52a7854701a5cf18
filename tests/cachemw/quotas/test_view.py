from __future__ import annotations

from math import inf

import pytest
from cachemw_policies.category import Quota
from cachemw_policies.quota import Amount, Claim

from cachemw.quotas.view import uses


def claim(entries: float, quota: Quota) -> Claim:
    return Claim(Amount(entries, 10 * entries), quota, 1.0)


def test_the_share_is_of_bytes_where_they_are_bounded() -> None:
    claims = {"a": claim(10, Quota())}
    assert uses(claims, Amount(20, 1000), Amount(19, 950))["a"].share == pytest.approx(0.1)
    assert uses(claims, Amount(20, inf), Amount(19, inf))["a"].share == pytest.approx(0.5)
    assert uses(claims, Amount(inf, inf), Amount(inf, inf))["a"].share == 0


def test_what_one_could_hold_depends_on_the_others() -> None:
    claims = {
        "a": claim(0, Quota(guaranteed=0.5)),
        "b": claim(100, Quota()),
        "c": claim(0, Quota()),
    }
    found = uses(claims, Amount(100, inf), Amount(100, inf))
    assert found["a"].entitled.entries == pytest.approx(75)
    assert found["b"].entitled.entries == pytest.approx(100)
    assert found["c"].entitled.entries == pytest.approx(50)


def test_without_a_bound_one_may_hold_any_number() -> None:
    claims = {"a": claim(10, Quota(guaranteed=0.5)), "b": claim(10, Quota())}
    found = uses(claims, Amount(inf, inf), Amount(inf, inf))
    assert min(use.entitled.entries for use in found.values()) > 1e12
    assert [use.entitlement for use in found.values()] == [1.0, 1.0]


@pytest.mark.parametrize("capacity", [Amount(100, inf), Amount(1000, 1000), Amount(inf, 1000)])
def test_the_entitlement_is_a_share_of_what_the_share_is_of(capacity: Amount) -> None:
    claims = {"a": claim(0, Quota(guaranteed=0.5)), "b": claim(100, Quota())}
    found = uses(claims, capacity, capacity)
    assert found["a"].entitlement == pytest.approx(0.75)
    assert found["b"].entitlement == pytest.approx(1.0)
