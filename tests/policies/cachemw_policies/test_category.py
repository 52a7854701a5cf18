"""Policies and the set of them."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from cachemw_policies.category import DEFAULT, CategoryPolicy, PolicySet
from cachemw_policies.decision import ttl_in_force
from hypothesis import given
from hypothesis import strategies as st

CODE = CategoryPolicy("code", ttl=100.0, ttl_overload=300.0)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (CODE, 300.0),
        (CategoryPolicy("c", ttl=100.0, ttl_overload=50.0), 100.0),
        (CategoryPolicy("c", ttl=100.0, ttl_overload=300.0, safety_critical=True), 100.0),
        (CategoryPolicy("c", ttl=100.0, ttl_overload=300.0, sliding=True), 100.0),
    ],
)
def test_how_long_an_answer_may_be_of_use(policy: CategoryPolicy, expected: float) -> None:
    assert policy.longest_ttl == expected


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0, 1), st.booleans())
def test_the_store_keeps_what_load_may_make_servable(
    ttl: float, ttl_overload: float, load: float, critical: bool
) -> None:
    policy = CategoryPolicy("c", ttl=ttl, ttl_overload=ttl_overload, safety_critical=critical)
    assert ttl_in_force(policy, load) <= policy.longest_ttl * (1 + 1e-12)


def test_a_set_always_has_a_default() -> None:
    assert PolicySet().names == (DEFAULT,)
    assert PolicySet().of(DEFAULT) == CategoryPolicy(DEFAULT)


def test_a_category_that_is_no_longer_there_is_the_default() -> None:
    default = CategoryPolicy(DEFAULT, ttl=1.0)
    known = PolicySet(MappingProxyType({"code": CODE, DEFAULT: default}))
    assert known.of("code") is CODE
    assert known.of("gone") is default


def test_names_come_as_the_file_has_them() -> None:
    some = {name: CategoryPolicy(name) for name in ("z", DEFAULT, "a")}
    assert PolicySet(MappingProxyType(some)).names == ("z", DEFAULT, "a")
