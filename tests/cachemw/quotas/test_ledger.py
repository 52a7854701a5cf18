from __future__ import annotations

import tracemalloc
from math import inf

import numpy as np
import pytest
from cachemw_policies.quota import Amount
from hypothesis import given
from hypothesis import strategies as st

from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from cachemw.stores.base import EntryInfo
from tests.cachemw.quotas.conftest import NOW, info, key

_EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), st.integers(0, 9), st.sampled_from("abc"), st.integers(0, 1 << 20)
        ),
        st.tuples(st.just("removed"), st.integers(0, 9), st.just(""), st.just(0)),
        st.tuples(st.just("hit"), st.integers(0, 9), st.just(""), st.just(0)),
        st.tuples(st.just("expired"), st.integers(0, 9), st.just(""), st.just(0)),
    ),
    max_size=40,
)


def ledger(capacity: float = 1000.0, entries: float = inf) -> Ledger:
    return Ledger(Amount(entries, capacity), Ghosts(256))


def values(known: Ledger, category: str = "a") -> dict[bytes, float]:
    return {
        name: float(value)
        for part in known.candidates(category)
        for name, value in zip(part.keys.tolist(), part.values, strict=True)
    }


@given(_EVENTS)
def test_totals_are_always_those_of_what_is_held(events: list[tuple[str, int, str, int]]) -> None:
    known = ledger()
    held: dict[int, EntryInfo] = {}
    for kind, number, category, size in events:
        if kind == "put":
            # One key whatever its category, which may change; ends with its number.
            held[number] = EntryInfo(
                key(number), "t", "chat", "m", category, (), NOW, NOW + number, size
            )
            known.put(held[number])
        elif kind == "removed":
            held.pop(number, None)
            known.removed([key(number)])
        elif kind == "hit":
            known.hit(key(number))
        else:
            known.expired(NOW + number, 99)
            held = {n: entry for n, entry in held.items() if entry.expires_at > NOW + number}
    entries = list(held.values())
    assert known.held == Amount(len(entries), sum(entry.size for entry in entries))
    assert known.totals() == {
        name: Amount(
            sum(entry.category == name for entry in entries),
            sum(entry.size for entry in entries if entry.category == name),
        )
        for name in {entry.category for entry in entries}
    }


def test_what_is_used_more_is_worth_more() -> None:
    known = ledger(capacity=1e9)
    for number in range(3):
        known.put(info(number), saved=1.0)
    known.hit(key(1))
    known.hit(key(1))
    worth = values(known)
    assert worth[key(1)] == pytest.approx(3 * worth[key(0)], rel=1e-3)
    assert worth[key(0)] == pytest.approx(worth[key(2)], rel=1e-3)


def test_what_saves_more_a_byte_is_worth_more() -> None:
    known = ledger()
    known.put(info(0, size=100), saved=1.0)
    known.put(info(1, size=100), saved=4.0)
    known.put(info(2, size=200), saved=4.0)
    worth = values(known)
    assert worth[key(1)] == pytest.approx(4 * worth[key(0)], rel=0.2)
    assert worth[key(1)] == pytest.approx(2 * worth[key(2)], rel=0.2)


def test_uses_of_long_ago_count_less() -> None:
    known = ledger(capacity=1000)
    known.put(info(0), saved=1.0)
    for _ in range(3):
        known.hit(key(0))
    before = values(known)[key(0)]
    for number in range(1, 31):  # three turnovers of ten entries
        known.put(info(number))
    assert values(known)[key(0)] == pytest.approx(before / 2, rel=0.01)


def test_the_clock_counts_entries_where_they_are_bounded() -> None:
    known = ledger(capacity=inf, entries=10)
    known.put(info(0), saved=1.0)
    before = values(known)[key(0)]
    for number in range(1, 31):
        known.put(info(number))
    assert values(known)[key(0)] == pytest.approx(before / 2, rel=0.01)


def test_what_a_hit_saves_is_the_category_s_mean_until_known() -> None:
    known = ledger()
    known.put(info(0), saved=2.0)
    known.put(info(1), saved=4.0)
    known.put(info(2))
    assert values(known)[key(2)] == pytest.approx(1.5 * values(known)[key(0)], rel=0.1)
    known.learn(key(2), 8.0)
    assert values(known)[key(2)] == pytest.approx(4 * values(known)[key(0)], rel=0.1)
    known.learn(key(99), 8.0)  # has gone meanwhile


def test_storing_again_is_no_use_and_forgets_nothing() -> None:
    known = ledger()
    known.put(info(0), saved=5.0)
    known.hit(key(0))
    before = values(known)[key(0)]
    known.put(info(0, size=50))  # the change log, with the exact size
    assert values(known)[key(0)] == pytest.approx(2 * before)
    assert known.held == Amount(1, 50)


def test_what_comes_again_is_remembered() -> None:
    known = ledger()
    known.put(info(0), saved=1.0)
    for _ in range(9):
        known.hit(key(0))
    known.removed([key(0)])
    known.put(info(0), saved=1.0)
    known.put(info(1), saved=1.0)
    assert values(known)[key(0)] > 9 * values(known)[key(1)]


def test_more_hits_than_are_noted_at_once() -> None:
    known = ledger(capacity=1e9)
    for number in range(600):
        known.put(info(number), saved=1.0)
    for _ in range(2):
        for number in range(600):
            known.hit(key(number))
    known.hit(key(7777))
    worth = values(known)
    assert len(worth) == 600
    assert np.allclose(list(worth.values()), 3 / 100, rtol=1e-3)


def test_expired_entries_leave_in_steps() -> None:
    known = ledger()
    for number in range(10):
        known.put(info(number, ends=number))
    assert known.expired(NOW + 7, most=5) == 5
    assert known.expired(NOW + 7, most=5) == 3
    assert known.expired(NOW + 7, most=5) == 0
    assert known.totals() == {"a": Amount(2, 200)}


def test_what_a_fill_does_not_meet_is_told() -> None:
    known = ledger()
    for number in range(3):
        known.put(info(number))
    known.begin_scan()
    known.put(info(1))
    assert {name for part in known.untold() for name in part} == {key(0), key(2)}


def test_a_full_store_is_told_of_at_once() -> None:
    told: list[None] = []
    known = ledger()
    known.watch(Amount(inf, 250), lambda: told.append(None))
    known.put(info(0))
    known.put(info(1))
    assert not told
    known.put(info(2))
    assert told


def test_an_entry_costs_about_two_hundred_bytes() -> None:
    count = 40_000
    infos = [info(number) for number in range(count)]
    tracemalloc.start()
    try:
        known = ledger(capacity=1e9)
        for one in infos:
            known.put(one)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    key_bytes = 80  # made before: the key itself, in its block of memory
    assert used / count + key_bytes < 230


def test_what_was_not_used_for_long_counts_less_as_used() -> None:
    known = ledger(capacity=1000)
    known.put(info(0, "idle"))
    known.put(info(1, "busy"))
    for number in range(2, 32):  # three turnovers
        known.put(info(number, "busy"))
        known.hit(key(1, "busy"))
    used = {name: amount for part in known.in_use() for name, amount in part.items()}
    assert used["idle"].entries == pytest.approx(0.5, rel=0.05)
    assert used["idle"].size == pytest.approx(50, rel=0.05)
    assert 20 < used["busy"].entries < 31
