from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.eviction import decayed, used, victims, worth
from hypothesis import given
from hypothesis import strategies as st

_ENTRIES = st.lists(st.tuples(st.floats(0, 1e6), st.floats(1, 1e6)), min_size=1, max_size=50)


def _array(*numbers: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(numbers, dtype=np.float64)


def test_a_frequency_halves_with_each_half_life() -> None:
    found = decayed(_array(8, 8, 8), _array(6, 3, 0), now=6, half_life=3)
    assert found.tolist() == [8, 4, 2]


def test_what_is_of_a_later_time_stays_as_it_is() -> None:
    assert decayed(_array(5), _array(7), now=6).tolist() == [5]
    assert used(5, 7, now=6) == 6


@given(st.floats(0, 1000), st.floats(0, 50), st.floats(0, 50))
def test_a_use_counts_one_beyond_what_has_decayed(
    frequency: float, touched: float, now: float
) -> None:
    before = float(decayed(_array(frequency), _array(touched), now)[0])
    assert used(frequency, touched, now) == pytest.approx(before + 1)


def test_worth_is_what_a_byte_saves() -> None:
    assert worth(_array(2, 2), _array(3, 3), _array(6, 12)).tolist() == [1, 0.5]


def test_an_entry_of_no_size_has_a_worth() -> None:
    assert worth(_array(1), _array(3), _array(0)).tolist() == [3]


def test_the_least_valuable_go_first() -> None:
    assert victims(_array(3, 1, 2), _array(1, 1, 1), entries=2, size=0).tolist() == [1, 2]


def test_of_equal_ones_the_first_goes() -> None:
    assert victims(_array(1, 1, 1), _array(1, 1, 1), entries=1, size=0).tolist() == [0]


def test_nothing_goes_where_nothing_is_needed() -> None:
    assert victims(_array(1), _array(1), entries=0, size=0).size == 0
    assert victims(_array(1), _array(1), entries=-3, size=-1.0).size == 0


def test_all_go_where_that_is_not_enough() -> None:
    assert victims(_array(2, 1), _array(5, 5), entries=9, size=99).tolist() == [1, 0]


@given(_ENTRIES, st.integers(0, 60), st.floats(0, 1e7))
def test_victims_free_what_is_needed_and_no_more(
    entries: list[tuple[float, float]], count: int, size: float
) -> None:
    values, sizes = _array(*(e[0] for e in entries)), _array(*(e[1] for e in entries))
    gone = victims(values, sizes, entries=count, size=size)
    enough = len(gone) >= count and np.cumsum(sizes[gone])[-1:].sum() >= size
    assert enough or len(gone) == len(entries)
    if len(gone):
        fewer = gone[:-1]
        assert len(fewer) < count or np.cumsum(sizes[fewer])[-1:].sum() < size
        kept = np.setdiff1d(np.arange(len(entries)), gone)
        assert not len(kept) or values[gone].max() <= values[kept].min()
