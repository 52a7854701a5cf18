"""Judged pairs as labels, one JSON object a line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from hashlib import blake2b
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

    What guards or the floor keep from being served says nothing about a threshold. They come in an
    order of their own, by a hash: in a file that has all duplicates first, what follows would look
    like a drift to who learns from them.
    """
    scored = [position for position in range(len(pairs)) if not np.isnan(judged.scores[position])]
    for position in sorted(scored, key=lambda p: _place(pairs[p])):
        score, right = float(judged.scores[position]), pairs[position].same
        yield Label(category, score, right, Source.OFFLINE, scale, at)


def _place(pair: Pair) -> bytes:
    return blake2b(f"{pair.a}\0{pair.b}".encode(errors="replace"), digest_size=8).digest()


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
