from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from cachemw_codecs.coding.frequencies import SYMBOLS, TOTAL, FrequencyTables, _gains, quantised
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

weights_of_tables = st.lists(
    st.one_of(
        st.just(0.0),
        st.floats(0, 1e300, allow_subnormal=True),
        st.floats(0, 1),
        st.integers(0, 5000).map(float),
    ),
    min_size=1,
    max_size=SYMBOLS,
).filter(any)


def padded(weights: list[float]) -> NDArray[np.float64]:
    return np.pad(np.array([weights]), ((0, 0), (0, SYMBOLS - len(weights))))


def greedy(weights: list[float]) -> list[int]:
    """Give 4096ths one by one to where each gains most: optimal, because gains only shrink."""
    largest = max(weights)
    f = [int(w > 0) for w in weights]
    heap = [(-w / largest, s) for s, w in enumerate(weights) if w > 0]
    heapq.heapify(heap)
    for _ in range(TOTAL - sum(f)):
        _, s = heap[0]
        f[s] += 1
        heapq.heapreplace(heap, (-weights[s] / largest * math.log2((f[s] + 1) / f[s]), s))
    return f


def cost(weights: list[float], f: list[int]) -> float:
    largest = max(weights)
    return math.fsum(
        -w / largest * math.log2(n / TOTAL) for w, n in zip(weights, f, strict=True) if w > 0
    )


@given(weights_of_tables)
def test_it_costs_as_few_bits_as_giving_one_by_one(weights: list[float]) -> None:
    f = quantised(padded(weights))[0].tolist()
    assert sum(f) == TOTAL
    assert [n > 0 for n in f[: len(weights)]] == [w > 0 for w in weights]
    assert not any(f[len(weights) :])
    best = cost(weights, greedy(weights))
    assert cost(weights, f[: len(weights)]) <= best + 1e-7 * max(best, 1)


@given(weights_of_tables, st.integers(-8, 8))
def test_the_scale_does_not_matter(weights: list[float], power: int) -> None:
    plain = padded([min(w, 1e200) if w > 1e-200 else 0 for w in weights])
    plain[0, 0] += 1
    np.testing.assert_array_equal(quantised(plain), quantised(plain * 2.0**power))


def test_known_tables() -> None:
    one = np.zeros(SYMBOLS)
    one[7] = 1e-300
    half = np.zeros(SYMBOLS)
    half[[3, 250]] = 5e-324
    rest = np.full(SYMBOLS, 1e-12)
    rest[0] = 1
    f = quantised(np.stack([np.ones(SYMBOLS), one, half, rest, np.full(SYMBOLS, 1e308)]))
    assert set(f[0]) == {16}
    assert f[1, 7] == TOTAL
    assert f[2, [3, 250]].tolist() == [2048, 2048]
    assert f[3].tolist() == [TOTAL - 255] + [1] * 255
    assert set(f[4]) == {16}


def test_each_table_alone_is_the_same() -> None:
    weights = np.random.default_rng(1).random((20, SYMBOLS)) ** 9
    together = quantised(weights)
    for row, f in zip(weights, together, strict=True):
        np.testing.assert_array_equal(quantised(row[None])[0], f)
    assert quantised(weights[:0]).shape == (0, SYMBOLS)


def test_gains_are_rounded_where_no_logarithm_is_in_doubt() -> None:
    n = np.arange(1, TOTAL + 1)
    scaled = np.log2((n + 1) / n) * 2.0**32
    between = np.abs(scaled - np.floor(scaled) - 0.5)
    # A last place of log2 near 2^32 is 5e-7 at most: other libraries round the same way.
    assert between.min() > 1e-5
    assert (np.diff(_gains()) < 0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, SYMBOLS)),
        np.full((1, SYMBOLS), -1.0),
        np.full((1, SYMBOLS), np.nan),
        np.full((1, SYMBOLS), np.inf),
        np.ones((1, SYMBOLS - 1)),
        np.ones(SYMBOLS),
    ],
)
def test_what_is_no_weight_is_refused(wrong: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="weight"):
        quantised(wrong)


def test_a_table_in_other_words() -> None:
    f = np.zeros((2, SYMBOLS), np.uint16)
    f[0, [2, 5, 255]] = 1000, 3000, 96
    f[1, 9] = TOTAL
    tables = FrequencyTables(f)
    assert len(tables) == 2
    assert tables.starts[0, [0, 2, 3, 5, 6, 255]].tolist() == [0, 0, 1000, 1000, 4000, 4000]
    assert tables.slots[0, [0, 999, 1000, 3999, 4000, 4095]].tolist() == [2, 2, 5, 5, 255, 255]
    assert set(tables.slots[1]) == {9}
    assert tables.ranges[0, 5] == 3000 << 16 | 1000
    assert tables.ranges[1, 9] == TOTAL << 16
    assert tables.lengths.tolist() == [3, 1]
    expected = [(1000 - 1) << 8 | 2, 1000 << 20 | (3000 - 1) << 8 | 5, 4000 << 20 | 95 << 8 | 255]
    assert tables.entries[0].tolist() == expected + expected[-1:] * 253
    assert set(tables.entries[1]) == {4095 << 8 | 9}
    assert tables.bits()[0, 2] == pytest.approx(math.log2(4.096))
    assert tables.bits()[0, 3] == np.inf
    none = FrequencyTables(f[:0])
    assert none.slots.shape == (0, TOTAL)
    assert none.ranges.shape == none.entries.shape == (0, SYMBOLS)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, SYMBOLS), np.uint16),
        np.full((1, SYMBOLS), 16, np.int32),
        np.full((1, 128), 32, np.uint16),
        np.full(SYMBOLS, 16, np.uint16),
    ],
)
def test_what_is_no_table_is_refused(wrong: NDArray[np.uint16]) -> None:
    with pytest.raises(ValueError, match=r"expected|sum"):
        FrequencyTables(wrong)
