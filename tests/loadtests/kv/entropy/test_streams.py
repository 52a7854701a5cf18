from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables

from loadtests.kv.entropy.streams import Stream, counts_of, laplace


def test_entropy_is_by_table() -> None:
    symbols = np.array([[1, 7], [2, 7], [1, 7], [2, 8]], np.uint8)
    tables = FrequencyTables(np.full((2, SYMBOLS), 16, np.uint16))
    columns = np.array([0, 1], np.int32)
    assert counts_of(symbols, columns, 2)[1, [7, 8]].tolist() == [3, 1]
    quarter = 0.25 * 2 + 0.75 * np.log2(4 / 3)
    assert Stream(symbols, columns, tables, 1.0).entropy == pytest.approx((1 + quarter) / 2)


@pytest.mark.parametrize(("tables", "narrowest", "widest"), [(1, 3.0, 3.0), (4, 1.5, 6.0)])
def test_deviations_are_as_asked(tables: int, narrowest: float, widest: float) -> None:
    stream = laplace(3.0, tables, 20_000, 2 * tables, np.random.default_rng(1))
    assert stream.columns.tolist() == [*range(tables), *range(tables)]
    deviations = stream.symbols.astype(float).std(axis=0)
    assert deviations[0] == pytest.approx(narrowest, rel=0.05)
    assert deviations[-1] == pytest.approx(widest, rel=0.05)
    used = counts_of(stream.symbols, stream.columns, tables) > 0
    np.testing.assert_array_equal(stream.tables.frequencies > 0, used)
