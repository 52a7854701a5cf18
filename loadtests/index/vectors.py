"""Sets of unit vectors to search in, with queries that are not among them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.questions import Vectors, distinct, embedded, pairs_file, read_pairs

DIMENSION = 384
QUERIES = 300
_PER_CLUSTER = 20
_NOISE = 0.6


@dataclass(frozen=True, slots=True)
class DataSet:
    """`stored` has shape [size, dimension], `queries` [QUERIES, dimension]."""

    name: str
    stored: Vectors
    queries: Vectors


def clustered(size: int, seed: int = 1) -> DataSet:
    """Return made-up questions: clusters of about twenty on the sphere, as real ones gather."""
    rng = np.random.default_rng(seed)
    total = size + QUERIES
    centres = _unit(rng.standard_normal((max(1, total // _PER_CLUSTER), DIMENSION)))
    noise = _unit(rng.standard_normal((total, DIMENSION)))
    vectors = _unit(centres[rng.integers(len(centres), size=total)] + _NOISE * noise)
    return DataSet("Made-up clusters", vectors[:size], vectors[size:])


def real(size: int, cache_dir: Path) -> DataSet | None:
    """Return vectors of real questions, as many as there are; None where the data is not there."""
    path = pairs_file()
    if not path.exists():
        return None
    texts = distinct(read_pairs(path))
    # Not in the order of the file: there the two questions of a pair stand side by side.
    chosen = np.random.default_rng(1).permutation(len(texts))[: size + QUERIES]
    embedder = load_embedder(EmbedderSettings(), cache_dir)
    vectors = embedded(embedder, [texts[position] for position in chosen])
    embedder.close()
    return DataSet("Real questions, MiniLM", vectors[QUERIES:], vectors[:QUERIES])


def _unit(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)
