from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.container.runs import positions_of, require_runs, runs_of
from cachemw_codecs.errors import DamagedData
from hypothesis import given
from hypothesis import strategies as st

LAST = (1 << 31) - 1


@pytest.mark.parametrize(
    ("positions", "runs"),
    [
        ([0], [[0, 1]]),
        ([LAST], [[LAST, 1]]),
        ([5, 6, 7], [[5, 3]]),
        ([0, 1, 3, 9, 10], [[0, 2], [3, 1], [9, 2]]),
    ],
)
def test_runs(positions: list[int], runs: list[list[int]]) -> None:
    assert runs_of(torch.tensor(positions)).tolist() == runs


@given(st.sets(st.integers(0, 40) | st.integers(0, LAST), min_size=1))
def test_there_and_back(chosen: set[int]) -> None:
    positions = torch.tensor(sorted(chosen))
    runs = runs_of(positions)
    require_runs(runs, len(chosen))
    again = positions_of(runs)
    assert again.dtype == torch.int64
    assert torch.equal(again, positions)
    # Each position that has no predecessor begins a run: there are no fewer, and no more.
    assert len(runs) == sum(each - 1 not in chosen for each in chosen)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([[0, 2]], "do not make 3 tokens"),
        ([[0, 3], [9, 0]], "do not make 3 tokens"),
        ([[0, 2], [2, 1]], "overlap, touch"),
        ([[0, 2], [1, 1]], "overlap, touch"),
        ([[8, 2], [1, 1]], "overlap, touch or descend"),
        ([[LAST - 1, 3]], "above 2147483647"),
    ],
)
def test_runs_that_nobody_wrote_are_refused(runs: list[list[int]], message: str) -> None:
    with pytest.raises(DamagedData, match=message):
        require_runs(np.array(runs, np.int64), 3)
