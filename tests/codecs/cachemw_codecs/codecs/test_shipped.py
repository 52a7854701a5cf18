from __future__ import annotations

import numpy as np
import pytest
from cachemw_codecs.codecs.framing import Reader
from cachemw_codecs.codecs.shipped import read_table, table_as_bytes
from cachemw_codecs.coding.frequencies import quantised
from cachemw_codecs.errors import DamagedData
from hypothesis import given
from hypothesis import strategies as st

WEIGHTS = st.dictionaries(st.integers(0, 255), st.integers(1, 10**6), min_size=1)


@given(weights=WEIGHTS)
def test_a_table_comes_back_from_its_bytes(weights: dict[int, int]) -> None:
    row = np.zeros((1, 256))
    row[0, list(weights)] = list(weights.values())
    table = quantised(row)[0]
    written = table_as_bytes(table)
    reader = Reader(written)
    assert np.array_equal(read_table(reader), table)
    reader.end()
    assert len(written) <= 2 + 2 * (max(weights) - min(weights) + 1)


def test_the_bytes_of_a_table() -> None:
    table = np.zeros(256, np.uint16)
    table[[7, 9, 10]] = 4096 - 127 - 128, 127, 128
    assert table_as_bytes(table).hex(" ") == "07 0a 8f 01 00 7f 80 80"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "07",
        "07 07",  # no frequency
        "07 07 90",  # half of one
        "07 07 8f ff",  # 4095
        "07 07 90 01",  # 4097
        "08 07",  # none between: sums to 0
        "00 01 ff ff ff ff",
    ],
)
def test_what_is_no_table_is_refused(written: str) -> None:
    with pytest.raises(DamagedData, match="table"):
        read_table(Reader(bytes.fromhex(written)))
