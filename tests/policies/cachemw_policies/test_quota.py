from __future__ import annotations

from math import inf

import pytest
from cachemw_policies.category import Quota
from cachemw_policies.quota import Amount, Claim, entitlements, surplus, total
from hypothesis import given
from hypothesis import strategies as st

FREE = Quota()
WHOLE = Amount(1000, 10_000)

_SHARES = st.floats(0, 1, allow_nan=False)
_AMOUNTS = st.builds(Amount, st.integers(0, 5000), st.integers(0, 50_000))
_CLAIMS = st.builds(
    Claim,
    _AMOUNTS,
    st.tuples(_SHARES, _SHARES).map(lambda pair: Quota(min(pair), max(pair))),
    st.one_of(st.just(0.0), st.floats(0.01, 100)),
    st.one_of(st.none(), _AMOUNTS),
)
CLAIMS = st.dictionaries(st.sampled_from("abcdef"), _CLAIMS, max_size=6)


def claim(entries: float, quota: Quota = FREE, priority: float = 1.0) -> Claim:
    """Return a category whose entries have ten bytes each."""
    return Claim(Amount(entries, 10 * entries), quota, priority)


def _almost(amount: float) -> float:
    return amount * (1 + 1e-9) + 1e-6


@given(CLAIMS)
def test_entitlements_fit_the_capacity(claims: dict[str, Claim]) -> None:
    given_out = total(entitlements(claims, WHOLE).values())
    assert given_out.entries <= _almost(WHOLE.entries)
    assert given_out.size <= _almost(WHOLE.size)


@given(CLAIMS)
def test_nobody_is_entitled_to_more_than_it_holds_or_its_cap(claims: dict[str, Claim]) -> None:
    for name, amount in entitlements(claims, WHOLE).items():
        held, cap = claims[name].held, claims[name].quota.cap
        assert amount.entries <= _almost(min(held.entries, cap * WHOLE.entries))
        assert amount.size <= _almost(min(held.size, cap * WHOLE.size))


@given(CLAIMS)
def test_nobody_falls_below_its_guarantee_while_it_holds_it(claims: dict[str, Claim]) -> None:
    promised = max(1.0, sum(c.quota.guaranteed for c in claims.values()))
    for name, amount in entitlements(claims, WHOLE).items():
        held, share = claims[name].held, claims[name].quota.guaranteed / promised
        assert _almost(amount.entries) >= min(held.entries, share * WHOLE.entries)
        assert _almost(amount.size) >= min(held.size, share * WHOLE.size)


@given(CLAIMS)
def test_nothing_stands_empty_while_anyone_wants_it(claims: dict[str, Claim]) -> None:
    given_out = total(entitlements(claims, WHOLE).values())
    wanted = sum(min(c.held.entries, c.quota.cap * WHOLE.entries) for c in claims.values())
    assert _almost(given_out.entries) >= min(wanted, WHOLE.entries)


@given(CLAIMS)
def test_after_giving_up_the_surplus_everything_fits(claims: dict[str, Claim]) -> None:
    high, low = WHOLE, WHOLE.times(0.9)
    given_up = surplus(claims, high, low)
    for name, c in claims.items():
        gone = given_up.get(name, Amount(0, 0))
        left = Amount(c.held.entries - gone.entries, c.held.size - gone.size)
        assert left.entries <= _almost(c.quota.cap * high.entries)
        assert left.size <= _almost(c.quota.cap * high.size)
    held, gone = total(c.held for c in claims.values()), total(given_up.values())
    if held.exceeds(high):
        assert held.entries - gone.entries <= _almost(low.entries)
        assert held.size - gone.size <= _almost(low.size)


@given(CLAIMS)
def test_nothing_is_given_up_before_the_high_mark(claims: dict[str, Claim]) -> None:
    held = total(c.held for c in claims.values())
    free = {name: Claim(c.held, FREE, c.priority) for name, c in claims.items()}
    assert surplus(free, Amount(held.entries, held.size), Amount(0, 0)) == {}


def test_what_is_left_is_split_by_priority() -> None:
    claims = {"a": claim(1000, priority=3), "b": claim(1000, priority=1)}
    assert entitlements(claims, WHOLE) == {"a": Amount(750, 7500), "b": Amount(250, 2500)}


def test_what_only_lies_there_gives_way_to_what_is_used() -> None:
    idle = Claim(Amount(600, 6000), FREE, 1.0, used=Amount(50, 500))
    shares = entitlements({"idle": idle, "busy": claim(800)}, WHOLE)
    assert shares == {"idle": Amount(200, 2000), "busy": Amount(800, 8000)}


def test_a_guarantee_is_also_for_what_only_lies_there() -> None:
    idle = Claim(Amount(600, 6000), Quota(guaranteed=0.5), 1.0, used=Amount(0, 0))
    shares = entitlements({"idle": idle, "busy": claim(5000)}, WHOLE)
    assert shares["idle"] == Amount(500, 5000)


def test_what_one_does_not_need_goes_to_the_others() -> None:
    claims = {"a": claim(100, priority=100), "b": claim(1000), "c": claim(1000)}
    shares = {name: amount.entries for name, amount in entitlements(claims, WHOLE).items()}
    assert shares == {"a": 100, "b": 450, "c": 450}


def test_without_priority_one_gets_its_guarantee_and_what_all_others_leave() -> None:
    claims = {"a": claim(600), "b": claim(900, Quota(guaranteed=0.1), priority=0)}
    assert entitlements(claims, WHOLE)["b"].entries == pytest.approx(400)
    claims["a"] = claim(2000)
    assert entitlements(claims, WHOLE)["b"].entries == pytest.approx(100)


def test_a_flood_costs_only_whoever_makes_it() -> None:
    claims = {"flood": claim(20_000), "quiet": claim(200, Quota(guaranteed=0.2))}
    assert set(surplus(claims, WHOLE, WHOLE)) == {"flood"}


def test_past_its_own_cap_only_that_category_gives_up() -> None:
    claims = {"capped": claim(300, Quota(cap=0.2)), "other": claim(400)}
    assert surplus(claims, WHOLE, WHOLE.times(0.5)) == {"capped": Amount(200, 2000)}


def test_guarantees_of_more_than_everything_shrink_alike() -> None:
    claims = {"a": claim(1000, Quota(guaranteed=0.9)), "b": claim(1000, Quota(guaranteed=0.6))}
    shares = {name: amount.entries for name, amount in entitlements(claims, WHOLE).items()}
    assert shares == {"a": pytest.approx(600), "b": pytest.approx(400)}


def test_entries_without_a_bound_are_no_reason_to_give_up() -> None:
    bytes_only = Amount(inf, 5000)
    claims = {"a": claim(400, Quota(cap=0.5)), "b": claim(300, Quota(guaranteed=0.5, cap=0.0))}
    given_up = surplus(claims, bytes_only, bytes_only)
    assert given_up["a"].entries == 0
    assert given_up["a"].size == pytest.approx(1500)


def test_no_categories_hold_nothing() -> None:
    assert surplus({}, Amount(0, 0), Amount(0, 0)) == {}
