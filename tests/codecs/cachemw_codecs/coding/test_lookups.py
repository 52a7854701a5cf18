from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables
from cachemw_codecs.coding.lookups import CACHED_TABLES, SHORT, Lookups


def tables(count: int, lengths: list[int]) -> FrequencyTables:
    """Return `count` tables whose alphabets have these lengths by turns."""
    f = np.zeros((count, SYMBOLS), np.uint16)
    for row, length in zip(f, lengths * count, strict=False):
        row[:length] = 1
        row[0] += 4096 - length
    return FrequencyTables(f)


def test_few_long_tables_are_looked_up_in() -> None:
    some = tables(3, [SHORT, SHORT + 1, 3])
    lookups = Lookups.of(some, np.array([1, 0], np.int32))
    assert lookups.lengths.tolist() == [SHORT, 0, 3]
    assert len(lookups.slots) == 3


@pytest.mark.parametrize(("count", "column"), [(CACHED_TABLES + 1, 1), (2, 0)])
def test_slots_are_not_made_where_nobody_needs_them(count: int, column: int) -> None:
    many = tables(count, [3, 200])
    lookups = Lookups.of(many, np.array([column], np.int32))
    assert lookups.lengths[column] == many.lengths[column]
    assert lookups.slots.shape == (0, 4096)
    assert "slots" not in vars(many)
