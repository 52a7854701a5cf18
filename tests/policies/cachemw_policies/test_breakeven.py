"""Categories that earn go on, those that lose are paused, and what changes is found out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

import pytest
from cachemw_policies.breakeven import (
    Account,
    BreakEvenSettings,
    Verdict,
    answered,
    break_even,
    interval,
    looked_up,
    lookup_probability,
    lower,
    upper,
    verdict,
)
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = BreakEvenSettings(cpu_usd_per_hour=0.0)
COST = 0.03
SAVED = 2.0
EVEN = COST / SAVED
"""The hit rate at which a lookup wins as much as it costs."""


def after(
    rng: Random,
    hit_rate: float,
    lookups: int,
    account: Account = Account(),  # noqa: B008 - immutable
    *,
    settings: BreakEvenSettings = SETTINGS,
) -> Iterator[Account]:
    """Yield the account after each of `lookups` questions, looked up or not.

    Savings scatter as answers' lengths do: log-normal, with a mean of SAVED.
    """
    for number in range(lookups):
        if rng.random() < lookup_probability(account, settings):
            hit = rng.random() < hit_rate
            saved = rng.lognormvariate(math.log(SAVED) - 0.5, 1.0) if hit else None
            account = looked_up(
                account,
                settings,
                cost_s=rng.uniform(0.5, 1.5) * COST,
                saved_s=saved,
                now=float(number),
            )
        yield account


def last(accounts: Iterator[Account]) -> Account:
    *_, final = accounts
    return final


def fed(*lookups: tuple[float, float | None], half_life: float = 1e9) -> Account:
    settings = BreakEvenSettings(half_life=half_life, cpu_usd_per_hour=0.0)
    account = Account()
    for cost, saved in lookups:
        account = looked_up(account, settings, cost_s=cost, saved_s=saved)
    return account


def test_sums() -> None:
    account = fed((0.1, None), (0.2, 3.0), (0.1, 1.0), (0.1, None))
    assert account.lookups == pytest.approx(4.0)
    assert account.hit_rate == pytest.approx(0.5)
    assert account.net == pytest.approx((4.0 - 0.5) / 4)
    assert account.saving == pytest.approx(2.0 + 1.0 / 32 - 1.03125 / 32)


def test_an_account_forgets_by_lookups() -> None:
    account = fed((0.0, 1.0), *[(0.0, None)] * 10, half_life=10.0)
    assert account.saved == pytest.approx(0.5)
    assert account.saved_squares == pytest.approx(0.25)
    assert account.hits == pytest.approx(0.5)


def test_money_counts_at_its_rate() -> None:
    settings = BreakEvenSettings(usd_per_second=0.001, cpu_usd_per_hour=3.6)
    account = looked_up(Account(), settings, cost_s=1.0, saved_s=2.0, saved_usd=0.005)
    assert account.saved == pytest.approx(2.0 + 5.0)
    # A CPU second costs 0.001 dollars here, as much as a second of waiting is worth.
    assert account.cost == pytest.approx(2.0)


def test_break_even_hit_rate() -> None:
    assert break_even(fed((0.1, 2.0), (0.1, None)), SETTINGS) == pytest.approx(0.05)
    # Before the first hit it is what the settings assume.
    assert break_even(fed((0.1, None)), SETTINGS) == pytest.approx(0.05)
    assert break_even(Account(), SETTINGS) == 0.0


def test_calls_tell_what_a_hit_would_be_worth() -> None:
    account = Account()
    for _ in range(200):
        account = answered(account, SETTINGS, 8.0, usd=0.002)
    assert account.saving == pytest.approx(10.0, rel=0.01)
    assert account.saved == account.lookups == 0.0


def test_nothing_is_known_of_nothing() -> None:
    assert verdict(Account(), SETTINGS) is Verdict.UNKNOWN
    assert interval(Account(), SETTINGS) == (-math.inf, math.inf)
    assert Account().net == Account().hit_rate == 0.0


@pytest.mark.parametrize(
    ("hits", "z", "above", "below"),
    # Exact quantiles of gamma distributions, by scipy.special.gammaincinv.
    [
        (1, 1.6449, 4.744, 0.0513),
        (2, 1.6449, 6.296, 0.3554),
        (5, 1.6449, 10.513, 1.9701),
        (20, 1.6449, 29.062, 13.2547),
        (200, 1.6449, 224.874, 177.3205),
        (1, 3.0902, 9.233, 0.0010),
        (5, 3.0902, 16.455, 0.7394),
        (20, 3.0902, 38.042, 8.9582),
        (200, 3.0902, 247.675, 159.1298),
    ],
)
def test_bounds_are_the_gamma_interval(hits: int, z: float, above: float, below: float) -> None:
    account = fed(*[(0.0, 2.0)] * hits)
    assert upper(account, SETTINGS, z) == pytest.approx(2.0 * above, rel=0.03)
    assert lower(account, z) == pytest.approx(2.0 * below, rel=0.07, abs=0.07)


def test_before_the_first_hit_there_is_an_upper_bound() -> None:
    assert upper(Account(), SETTINGS, 3.0902) == pytest.approx(2.0 * 6.908, rel=0.03)
    assert lower(Account(), 3.0902) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 100)), max_size=60))
def test_the_interval_holds_the_net(lookups: list[tuple[float, float | None]]) -> None:
    account = fed(*lookups)
    low, high = interval(account, SETTINGS)
    assert low <= account.net + 1e-9
    assert account.net <= high + 1e-9
    assert account.hits <= account.lookups


def test_the_interval_covers_as_often_as_it_says() -> None:
    missed = [0, 0]
    for seed in range(200):
        settings = BreakEvenSettings(confidence=0.999999, cpu_usd_per_hour=0.0)
        account = last(after(Random(seed), 0.02, 800, settings=settings))
        low, high = interval(account, settings)
        mean = 0.02 * SAVED - account.cost / account.lookups
        missed[0] += low > mean
        missed[1] += high < mean
    # 5 % each, of 200; the upper one leans on an estimate of what a hit saves.
    assert missed[0] <= 18
    assert missed[1] <= 24


@pytest.mark.parametrize("times", [1.5, 3.0, 10.0])
def test_what_earns_is_hardly_ever_paused(times: float) -> None:
    paused = 0
    for seed in range(40):
        paused += any(a.paused for a in after(Random(seed), times * EVEN, 8000))
    assert paused <= 2


def test_what_never_hits_is_paused_soon() -> None:
    for seed in range(20):
        accounts = list(after(Random(seed), 0.0, 1000))
        assert accounts[-1].paused
        # Seven hits' worth of cost without one of them.
        assert 300 < next(n for n, a in enumerate(accounts) if a.paused) < 700


def test_what_hits_too_rarely_is_paused_most_of_the_time() -> None:
    shares = []
    for seed in range(20):
        accounts = list(after(Random(seed), EVEN / 4, 20_000))[5000:]
        shares.append(sum(a.paused for a in accounts) / len(accounts))
    assert sorted(shares)[len(shares) // 2] > 0.8


def test_a_paused_category_comes_back_when_it_earns_again() -> None:
    for seed in range(20):
        rng = Random(seed)
        paused = last(after(rng, 0.0, 1000))
        assert paused.paused
        assert verdict(paused, SETTINGS) is Verdict.LOSING
        assert lookup_probability(paused, SETTINGS) == SETTINGS.probes
        back = list(after(rng, 10 * EVEN, 6000, paused))
        assert any(not account.paused for account in back)
        assert not back[-1].paused


def test_an_earner_that_stops_earning_is_found_out() -> None:
    for seed in range(5):
        rng = Random(seed)
        account = last(after(rng, 3 * EVEN, 5000))
        assert verdict(account, SETTINGS) is Verdict.EARNING
        assert last(after(rng, 0.0, 25_000, account)).paused


def test_a_pause_says_since_when_and_begins_anew() -> None:
    account = Account()
    for number in range(1000):
        account = looked_up(account, SETTINGS, cost_s=1.0, saved_s=None, now=float(number))
        if account.paused:
            break
    assert account == Account(paused=True, since=float(number))
    assert number == 20  # `least` lookups, of which the older count a little less


def test_one_hit_among_the_first_probes_does_not_end_a_pause() -> None:
    account = looked_up(Account(paused=True), SETTINGS, cost_s=COST, saved_s=SAVED)
    assert account.paused


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_life": 0.0},
        {"usd_per_second": 0.0},
        {"confidence": 1.0},
        {"resume_confidence": 0.4},
        {"probes": 0.0},
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"above 0|confidences|probes"):
        BreakEvenSettings(**wrong)
