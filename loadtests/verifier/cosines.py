"""Cosines of the question pairs by the default embedder, kept between runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.questions import Pair

KEPT = Path.home() / ".cache" / "cachemw-loadtests"

Cosines = NDArray[np.float32]


def kept(path: Path, pairs: Sequence[Pair], measure: Callable[[], Cosines]) -> Cosines:
    """Return what lies at `path` if it is of so many pairs, else measure and put it there."""
    if path.exists():
        with np.load(path) as file:
            found: Cosines = file["cosine"]
        if found.shape == (len(pairs),):
            return found
    print("... comparing all pairs", file=sys.stderr, flush=True)
    cosines = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, cosine=cosines)
    return cosines
