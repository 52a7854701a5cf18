"""When a call is made anew, and after how long."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from cachemw_policies.retry import (
    Attempts,
    RetryRules,
    allowed_retries,
    asked_wait,
    counts_against_upstream,
    wait_before_retry,
)

RULES = RetryRules(retries=3, base_s=0.5, max_s=8.0)
LONG = 1000.0


@pytest.mark.parametrize(("made", "most"), [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_the_backoff_doubles_and_is_fully_jittered(made: int, most: float) -> None:
    assert wait_before_retry(RULES, Attempts(made, LONG), 0.0) == 0.0
    assert wait_before_retry(RULES, Attempts(made, LONG), 0.5) == most / 2


def test_the_backoff_has_a_ceiling_however_often() -> None:
    rules = RetryRules(retries=10_000, base_s=0.5, max_s=8.0)
    for made in (10, 100, 5000):
        assert wait_before_retry(rules, Attempts(made, LONG), 0.999) == 0.999 * 8.0


def test_the_number_of_retries() -> None:
    assert wait_before_retry(RULES, Attempts(3, LONG), 0.5) is not None
    assert wait_before_retry(RULES, Attempts(4, LONG), 0.5) is None
    none = RetryRules(0, 0.5, 8.0)
    assert wait_before_retry(none, Attempts(1, LONG), 0.0) is None


def test_the_upstreams_wish_goes_before_the_backoff() -> None:
    assert wait_before_retry(RULES, Attempts(1, LONG, asked_s=7.0), 0.1) == 7.0
    assert wait_before_retry(RULES, Attempts(1, LONG, asked_s=0.0), 0.9) == 0.0


def test_a_longer_wish_is_the_clients_to_wait_for() -> None:
    assert wait_before_retry(RULES, Attempts(1, LONG, asked_s=8.0), 0.1) == 8.0
    assert wait_before_retry(RULES, Attempts(1, LONG, asked_s=8.1), 0.1) is None
    assert wait_before_retry(RULES, Attempts(1, LONG, asked_s=math.inf), 0.1) is None


def test_the_total_limit_bounds_it() -> None:
    assert wait_before_retry(RULES, Attempts(1, 3.0, asked_s=2.0), 0.1) == 2.0
    assert wait_before_retry(RULES, Attempts(1, 1.0, asked_s=2.0), 0.1) is None
    assert wait_before_retry(RULES, Attempts(1, 10.0, needs_s=9.9), 0.1) == pytest.approx(0.05)
    assert wait_before_retry(RULES, Attempts(1, 10.0, needs_s=9.99), 0.1) is None
    assert wait_before_retry(RULES, Attempts(1, -1.0), 0.0) is None


def test_the_upstream_may_forbid_it() -> None:
    assert wait_before_retry(RULES, Attempts(1, LONG, forbidden=True), 0.5) is None


@pytest.mark.parametrize(
    ("after_ms", "after", "wait"),
    [
        ("", "", None),
        ("", "3", 3.0),
        ("", "0.5", 0.5),
        ("250", "3", 0.25),
        ("soon", "3", 3.0),
        ("", "soon", None),
        ("", "-3", None),
        ("", "nan", None),
        ("", "1e999", math.inf),
        ("", "Wed, 99 Foo 2026 25:00:00 GMT", None),
    ],
)
def test_what_the_upstream_asks_for(after_ms: str, after: str, wait: float | None) -> None:
    assert asked_wait(after_ms, after, 0.0) == wait


def test_a_date() -> None:
    date = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
    text = format_datetime(date, usegmt=True)
    assert asked_wait("", text, date.timestamp() - 5.0) == 5.0
    assert asked_wait("", text, date.timestamp() + 5.0) == 0.0
    assert asked_wait("", "Mon, 23 Nov 2026 02:00:00", date.timestamp() - 5.0) == 5.0


@pytest.mark.parametrize(("count", "allowed"), [("", 2), ("0", 2), (" 0", 2), ("1", 0), ("x", 0)])
def test_a_clients_own_retry_is_not_multiplied(count: str, allowed: int) -> None:
    assert allowed_retries(2, count) == allowed


def test_what_counts_against_the_upstream() -> None:
    assert all(counts_against_upstream(status) for status in (502, 503, 504, 529))
    others = (200, 400, 404, 429, 499, 500, 501)
    assert not any(counts_against_upstream(status) for status in others)
