"""Accounts: what is counted, when they refuse, and what the headers say."""

from __future__ import annotations

import pytest

from cachemw.errors import RateLimited
from cachemw.identity.budgets import Account, Budget, duration
from tests.support.service import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(50.0)


def account(clock: Clock, *, rpm: int | None = None, tpm: int | None = None) -> Account:
    return Account(
        None if rpm is None else Budget("requests", rpm, clock),
        None if tpm is None else Budget("tokens", tpm, clock),
    )


def test_requests_up_to_the_budget_and_on_as_it_refills(clock: Clock) -> None:
    mine = account(clock, rpm=2)
    mine.admit()
    mine.admit()
    with pytest.raises(RateLimited) as caught:
        mine.admit()
    assert (b"retry-after", b"30") in caught.value.headers

    clock.now += 29.9
    with pytest.raises(RateLimited):
        mine.admit()
    clock.now += 0.2
    mine.admit()


def test_what_is_refused_counts_for_nothing(clock: Clock) -> None:
    mine = account(clock, rpm=60)
    for _ in range(60):
        mine.admit()
    for _ in range(1000):
        with pytest.raises(RateLimited):
            mine.admit()
    clock.now += 1.001
    mine.admit()


def test_a_request_refused_for_its_tokens_is_no_request(clock: Clock) -> None:
    mine = account(clock, rpm=1, tpm=60)
    assert mine.tokens is not None
    mine.tokens.spend(60)
    with pytest.raises(RateLimited, match="60 tokens a minute"):
        mine.admit()
    clock.now += 1.1
    mine.admit()


def test_tokens_are_owed_and_paid_back(clock: Clock) -> None:
    mine = account(clock, tpm=600)
    mine.admit()
    assert mine.tokens is not None
    mine.tokens.spend(1200)
    with pytest.raises(RateLimited) as caught:
        mine.admit()
    assert (b"retry-after", b"61") in caught.value.headers
    assert (b"x-ratelimit-remaining-tokens", b"0") in caught.value.headers
    clock.now += 61
    mine.admit()


def test_headers(clock: Clock) -> None:
    mine = account(clock, rpm=60, tpm=6000)
    mine.admit()
    assert mine.tokens is not None
    mine.tokens.spend(3000)

    assert mine.headers() == [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-limit-tokens", b"6000"),
        (b"x-ratelimit-remaining-tokens", b"3000"),
        (b"x-ratelimit-reset-tokens", b"30s"),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, b"0ms"),
        (0.0123, b"13ms"),
        (1, b"1s"),
        (59.2, b"1m0s"),
        (90, b"1m30s"),
        (7200, b"2h0m0s"),
    ],
)
def test_durations(seconds: float, text: bytes) -> None:
    assert duration(seconds) == text
