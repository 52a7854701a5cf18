"""Filters: each condition alone, all together, and what holds for every one of them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.admin.filters import EntryFilter, matches
from cachemw.stores.base import EntryInfo

NOW = 1_000_000.0
NAMES = st.sampled_from(["", "a", "b", "ab", "ü"])
AGES = st.sampled_from([0.0, 0.5, 1.0, 60.0, 86_400.0]) | st.floats(0, 1e6)
ENTRIES = st.builds(
    EntryInfo,
    key=st.binary(min_size=32, max_size=32),
    tenant=NAMES,
    endpoint=NAMES,
    model=NAMES,
    category=NAMES,
    tags=st.lists(NAMES, max_size=3).map(tuple),
    created_at=AGES.map(lambda age: NOW - age),
    expires_at=st.just(NOW + 1),
    size=st.integers(0, 100),
)
FILTERS = st.builds(
    EntryFilter,
    id=st.none() | st.text("0123456789abcdef", min_size=1, max_size=2),
    tenant=st.none() | NAMES,
    model=st.none() | NAMES,
    endpoint=st.none() | NAMES,
    tag=st.none() | NAMES,
    category=st.none() | NAMES,
    older_than=st.none() | AGES,
    younger_than=st.none() | AGES,
)
ENTRY = EntryInfo(
    key=b"\xab" * 32,
    tenant="t",
    endpoint="e",
    model="m",
    category="c",
    tags=("x", "y"),
    created_at=NOW - 60,
    expires_at=NOW + 60,
    size=1,
)


@pytest.mark.parametrize(
    ("condition", "fits", "does_not"),
    [
        ("id", "aba", "abb"),
        ("tenant", "t", "T"),
        ("model", "m", ""),
        ("endpoint", "e", "ee"),
        ("tag", "y", "x, y"),
        ("category", "c", "d"),
        ("older_than", 60.0, 60.1),
        ("younger_than", 60.1, 60.0),
    ],
)
def test_each_condition(condition: str, fits: Any, does_not: Any) -> None:
    assert matches(EntryFilter(**{condition: fits}), ENTRY, NOW)
    assert not matches(EntryFilter(**{condition: does_not}), ENTRY, NOW)


@given(ENTRIES)
def test_no_condition_leaves_nothing_out(entry: EntryInfo) -> None:
    assert EntryFilter().is_empty
    assert matches(EntryFilter(), entry, NOW)


@given(FILTERS, ENTRIES)
def test_a_filter_is_the_conjunction_of_its_conditions(
    wanted: EntryFilter, entry: EntryInfo
) -> None:
    alone = [EntryFilter(**{name: value}) for name, value in wanted.given().items()]  # type: ignore[arg-type]
    assert matches(wanted, entry, NOW) == all(matches(each, entry, NOW) for each in alone)


@given(FILTERS, ENTRIES, st.sampled_from([field.name for field in fields(EntryFilter)]))
def test_a_condition_less_never_matches_less(
    wanted: EntryFilter, entry: EntryInfo, dropped: str
) -> None:
    if matches(wanted, entry, NOW):
        wider: dict[str, Any] = {dropped: None}
        assert matches(replace(wanted, **wider), entry, NOW)


@given(ENTRIES, AGES)
def test_every_entry_is_older_or_younger_and_never_both(entry: EntryInfo, age: float) -> None:
    older = matches(EntryFilter(older_than=age), entry, NOW)
    younger = matches(EntryFilter(younger_than=age), entry, NOW)
    assert older != younger


@given(FILTERS)
def test_what_is_given_makes_the_filter(wanted: EntryFilter) -> None:
    given_: Any = wanted.given()
    assert EntryFilter(**given_) == wanted
    assert wanted.is_empty == (not given_)
