"""Cosines of the question pairs by the default embedder, kept between runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cachemw.config import default_cache_dir
from loadtests.questions import pairs_file, read_pairs
from loadtests.threshold.__main__ import similarities

KEPT = Path.home() / ".cache" / "cachemw-loadtests"

Cosines = NDArray[np.float32]


def cosines(folder: Path = KEPT) -> Cosines:
    """Return the cosine of every pair of the file, in its order."""
    pairs = read_pairs(pairs_file())
    path = folder / "verifier-cosines.npz"
    return kept(path, len(pairs), lambda: similarities(pairs, default_cache_dir(os.environ))[0])


def kept(path: Path, count: int, measure: Callable[[], Cosines]) -> Cosines:
    """Return what lies at `path` if it is of so many pairs, else measure and put it there."""
    if path.exists():
        with np.load(path) as file:
            found: Cosines = file["cosine"]
        if found.shape == (count,):
            return found
    print("... comparing all pairs", file=sys.stderr, flush=True)
    measured = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, cosine=measured)
    return measured
