"""Judged pairs as labels, one JSON object a line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import orjson
from cachemw_policies.labels import Label, Source

from cachemw.calibrate.judge import Judged
from cachemw.calibrate.pairs import Pair


def labels(
    pairs: Sequence[Pair], judged: Judged, category: str, scale: str, at: float
) -> Iterator[Label]:
    """Yield a label for each pair that has a score; `at` in seconds since the epoch.

    What guards or the floor keep from being served says nothing about a threshold.
    """
    for pair, score in zip(pairs, judged.scores, strict=True):
        if not np.isnan(score):
            yield Label(category, float(score), pair.same, Source.OFFLINE, scale, at)


def write_labels(path: Path, written: Iterator[Label]) -> int:
    """Write the file whole or not at all; returns how many labels. Raises OSError."""
    count = 0
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as out:
        try:
            for label in written:
                out.write(orjson.dumps(asdict(label)) + b"\n")
                count += 1
            out.flush()
            os.fsync(out.fileno())
            Path(out.name).replace(path)
        except BaseException:
            Path(out.name).unlink(missing_ok=True)
            raise
    return count
