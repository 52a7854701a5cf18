"""The write gates: each alone keeps an answer out, and they are asked in a fixed order."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from cachemw_policies.storing import AnswerFacts, SkipReason, StoreRules, why_not_store
from hypothesis import given
from hypothesis import strategies as st

ANSWER = AnswerFacts(status=200, complete=True, truncated=False, blocked=False, size=10)
RULES = StoreRules(in_scope=True, store=True, store_truncated=False, max_size=10, ttl=1)

# What closes each gate, in the order in which they are asked.
CLOSED: dict[SkipReason, dict[str, Any]] = {
    SkipReason.SCOPE: {"in_scope": False},
    SkipReason.NO_STORE: {"store": False},
    SkipReason.STATUS: {"status": 500},
    SkipReason.INCOMPLETE: {"complete": False},
    SkipReason.BLOCKED: {"blocked": True},
    SkipReason.TRUNCATED: {"truncated": True},
    SkipReason.CATEGORY: {"category": False},
    SkipReason.SIZE: {"size": 11},
    SkipReason.PERSONAL: {"personal": True},
    SkipReason.TTL: {"ttl": 0},
    SkipReason.PURGED: {"purged": True},
}
_OF_ANSWER = {field.name for field in fields(AnswerFacts)}


def judged(**changed: Any) -> SkipReason | None:
    answer = {name: value for name, value in changed.items() if name in _OF_ANSWER}
    rules = {name: value for name, value in changed.items() if name not in _OF_ANSWER}
    return why_not_store(replace(ANSWER, **answer), replace(RULES, **rules))


def test_a_good_answer_is_stored() -> None:
    assert judged() is None


@pytest.mark.parametrize("reason", SkipReason)
def test_each_gate_alone_closes(reason: SkipReason) -> None:
    assert judged(**CLOSED[reason]) is reason


@given(st.sets(st.sampled_from(SkipReason), min_size=1))
def test_the_first_closed_gate_is_the_reason(closed: set[SkipReason]) -> None:
    changed = {name: value for reason in closed for name, value in CLOSED[reason].items()}

    assert judged(**changed) is next(reason for reason in CLOSED if reason in closed)


@given(st.integers(100, 599))
def test_only_a_success_is_stored(status: int) -> None:
    assert (judged(status=status) is None) is (200 <= status < 300)


def test_a_truncated_answer_where_it_is_allowed() -> None:
    assert judged(truncated=True, store_truncated=True) is None


@pytest.mark.parametrize("closed", [{"blocked": True}, {"complete": False}])
def test_that_allowance_opens_nothing_else(closed: dict[str, bool]) -> None:
    assert judged(truncated=True, store_truncated=True, **closed) is not None


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_lifetime_is_longer_than_none(ttl: float) -> None:
    assert judged(ttl=ttl) is SkipReason.TTL
