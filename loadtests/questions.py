"""Real questions in pairs, from the data beside the project, and their vectors.

The data lies in the folder that CACHEMW_SHARED_DATA names (see its README.md there); it is not part
of the project, and nothing here copies it.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from cachemw.embed.base import Embedder

Vectors = NDArray[np.float32]
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, and whether people called them the same."""

    a: str
    b: str
    same: bool


def pairs_file(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the pairs lie, whether they are there or not."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    shared = Path(env.get("CACHEMW_SHARED_DATA", beside))
    return shared / "semantic" / "question-pairs.jsonl.gz"


def read_pairs(path: Path) -> list[Pair]:
    """Read all pairs of a file."""
    with gzip.open(path) as lines:
        rows = map(orjson.loads, lines)
        return [Pair(row["a"], row["b"], bool(row["same"])) for row in rows]


def distinct(pairs: Iterable[Pair]) -> list[str]:
    """Return all questions once, in the order of their first appearance."""
    return list(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))


def embedded(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Return the vectors of `texts`, shape [len(texts), dimension]."""
    # Texts of one length a batch: short ones are not padded to long ones.
    order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
    vectors = np.empty((len(texts), embedder.dimension), dtype=np.float32)
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        vectors[batch] = embedder.embed([texts[position] for position in batch])
    return vectors
