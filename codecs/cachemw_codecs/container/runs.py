"""Positions as runs of neighbours: a chunk of one piece of text is one run."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.container.chunk import POSITIONS
from cachemw_codecs.errors import DamagedData

Runs = NDArray[np.int64]
"""[runs, 2]: start and length of each. Ascending, and as long as can be: no two touch."""


def runs_of(positions: Tensor) -> Runs:
    """Return the runs of `positions`, int64 [tokens], strictly ascending."""
    values = positions.numpy()
    begins = np.flatnonzero(np.diff(values, prepend=values[0] - 2) != 1)
    lengths = np.diff(begins, append=len(values))
    return np.stack([values[begins], lengths], axis=1).astype(np.int64)


def positions_of(runs: Runs) -> Tensor:
    """Return the positions, int64 [tokens]: the inverse of `runs_of`."""
    starts, lengths = runs[:, 0], runs[:, 1]
    tokens_before = np.cumsum(lengths) - lengths
    places = np.arange(lengths.sum(), dtype=np.int64)
    return torch.from_numpy(places + np.repeat(starts - tokens_before, lengths))


def require_runs(runs: Runs, tokens: int) -> None:
    """Raise `DamagedData` unless `runs` are what `runs_of` makes of so many tokens."""
    starts, lengths = runs[:, 0], runs[:, 1]
    ends = starts + lengths
    if bool((lengths < 1).any()) or int(lengths.sum()) != tokens:
        raise DamagedData(f"header: the runs of positions do not make {tokens} tokens")
    if bool((starts[1:] <= ends[:-1]).any()):
        raise DamagedData("header: the runs of positions overlap, touch or descend")
    if int(ends[-1]) > POSITIONS:
        raise DamagedData(f"header: a position is above {POSITIONS - 1}")
