"""Scores of pairs by a verifier, kept between runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachemw.verify.base import QuestionPair, Verifier

Scores = NDArray[np.floating[Any]]
Pairs = Sequence[QuestionPair]

_AT_ONCE = 64


def scored(verifier: Verifier, pairs: Pairs) -> Scores:
    """Return the score of every pair, shape [len(pairs)].

    Pairs of one length go together, which is faster; the service does so too.
    """
    order = sorted(range(len(pairs)), key=lambda at: len(pairs[at].stored) + len(pairs[at].asked))
    found = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(order), _AT_ONCE):
        chunk = order[start : start + _AT_ONCE]
        found[chunk] = verifier.score([pairs[place] for place in chunk])
    return found


def kept(path: Path, verifier: Verifier, pairs: Pairs, more: dict[str, NDArray[Any]]) -> Scores:
    """Return the scores at `path` if this verifier gave them to so many pairs, else score anew.

    `more` is written beside them: for whoever reads the file.
    """
    if path.exists():
        with np.load(path) as file:
            mine = "fingerprint" in file and str(file["fingerprint"]) == verifier.fingerprint
            if mine and file["score"].shape == (len(pairs),):
                known: Scores = file["score"]
                return known
    print(f"... scoring {len(pairs)} pairs", file=sys.stderr, flush=True)
    found = scored(verifier, pairs)
    path.parent.mkdir(parents=True, exist_ok=True)
    marked = more | {"fingerprint": np.array(verifier.fingerprint)}
    np.savez(path, allow_pickle=False, score=found, **marked)
    return found


def median_ms(
    work: Callable[[Pairs], object], pairs: Pairs, count: int, rounds: int
) -> tuple[float, float]:
    """Return median milliseconds of scoring `count` pairs at once: by the clock, of the processor.

    The processor's time is that of all threads of this process.
    """
    times = []
    for number in range(rounds + rounds // 10):
        start = number * count % (len(pairs) - count)
        chosen = pairs[start : start + count]
        began, used = time.perf_counter(), time.process_time()
        work(chosen)
        times.append((time.perf_counter() - began, time.process_time() - used))
    # The first tenth warms up.
    wall, cpu = np.median(np.array(times[rounds // 10 :]), axis=0) * 1e3
    return float(wall), float(cpu)
