"""The expiry heap against a sorted list."""

from __future__ import annotations

import math

import hypothesis.strategies as st
from hypothesis import given, settings

from cachemw.index.expiry import ExpiryHeap

STEPS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9).map(float)), max_size=200)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_first_is_always_the_earliest(steps: list[tuple[int, float]]) -> None:
    """An entry that is there is taken out, one that is not is put in."""
    heap, model = ExpiryHeap(), dict[int, float]()
    for entry, time in steps:
        if entry in model:
            heap.remove(entry)
            del model[entry]
        else:
            heap.push(entry, time)
            model[entry] = time
        first = heap.first()
        assert len(heap) == len(model)
        assert (first and first[0]) == (min(model.values()) if model else None)
        assert first is None or model[first[1]] == first[0] == heap.time(first[1])


def test_replacing_one_entry_for_ever_leaves_one() -> None:
    heap = ExpiryHeap()
    for time in range(10_000):
        if time:
            heap.remove(7)
        heap.push(7, float(time))
    assert (len(heap), len(heap._heap)) == (1, 1)


def test_not_a_number_ends_at_once_and_infinity_never() -> None:
    heap = ExpiryHeap()
    heap.push(0, math.inf)
    heap.push(1, 5.0)
    heap.push(2, math.nan)
    assert heap.first() == (-math.inf, 2)
    heap.remove(2)
    assert heap.first() == (5.0, 1)
    heap.remove(1)
    assert heap.first() == (math.inf, 0)
