"""Accounts by category, as the service keeps them."""

from __future__ import annotations

from random import Random

import pytest
from cachemw_policies.breakeven import BreakEvenSettings, Verdict

from cachemw.accounting.ledger import Accounts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def accounts(most: int = 256, seed: int = 1) -> Accounts:
    return Accounts(BreakEvenSettings(cpu_usd_per_hour=3.6), Clock(), Random(seed), most)


def pause(kept: Accounts, category: str) -> None:
    for _ in range(30):
        kept.note(category, 1.0)
    assert kept.paused(category)


def test_what_is_not_paused_is_always_looked_up() -> None:
    kept = accounts()
    assert all(kept.allowed("code") for _ in range(100))
    assert kept.view()["code"].totals.skipped == 0


def test_a_paused_category_is_probed_now_and_then() -> None:
    kept = accounts()
    pause(kept, "code")
    allowed = sum(kept.allowed("code") for _ in range(2000))
    assert 60 < allowed < 140
    assert kept.view()["code"].totals.skipped == 2000 - allowed
    assert kept.allowed("math")


def test_a_paused_category_comes_back() -> None:
    kept = accounts()
    pause(kept, "code")
    for _ in range(30):
        kept.note("code", 0.01, saved_seconds=2.0)
    assert not kept.paused("code")
    assert kept.view()["code"].totals.pauses == 1


def test_totals_forget_nothing() -> None:
    kept = accounts()
    kept.note("code", 0.5)
    kept.note("code", 0.25, saved_seconds=2.0, saved_usd=0.01)
    view = kept.view()["code"]
    totals = view.totals
    assert (totals.lookups, totals.hits, totals.cost_s) == (2, 1, 0.75)
    assert (totals.saved_s, totals.saved_usd) == (2.0, 0.01)
    assert view.cost_usd == pytest.approx(0.00075)
    assert view.verdict is Verdict.UNKNOWN
    low, high = view.net_interval_s
    assert low < view.net_s < high


def test_what_calls_take_tells_what_hits_are_worth() -> None:
    kept = accounts()
    for _ in range(200):
        kept.answered("code", 10.0)
    kept.note("code", 0.5)
    assert kept.view()["code"].break_even == pytest.approx(0.1, rel=0.02)


def test_names_beyond_the_bound_share_one_account() -> None:
    kept = accounts(most=3)
    for name in ("a", "b", "c", "d"):
        kept.note(name, 1.0)
    assert set(kept.view()) == {"default", "a", "b"}
    assert kept.view()["default"].totals.lookups == 2


def test_after_a_reload_only_what_is_left_is_kept() -> None:
    kept = accounts()
    kept.note("a", 1.0)
    kept.note("b", 1.0)
    kept.keep(["b"])
    assert set(kept.view()) == {"default", "b"}
    kept.note("default", 1.0)


def test_the_time_of_a_pause_is_the_clocks() -> None:
    clock = Clock()
    kept = Accounts(BreakEvenSettings(), clock, Random(1))
    clock.now = 42.0
    pause(kept, "code")
    assert kept.view()["code"].since == 42.0
