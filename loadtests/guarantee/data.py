"""Held-out pairs of real questions with their scores.

Scores come from a file beside the load tests' other caches, or from the verifier, and are kept
there. Without a verifier the cosine takes their place, stretched to [0, 1].
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import Embedder
from cachemw.verify.base import QuestionPair, Verifier
from loadtests.questions import Pair, distinct, embedded
from loadtests.threshold.clusters import clusters

CACHE = Path.home() / ".cache" / "cachemw-loadtests"
SCORES = CACHE / "verifier-scores.npz"
_BATCH = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Pairs of a stored and an asked question; arrays of shape [pairs].

    `same`: whether the stored answer is right. `entries`: the number of the cluster that the stored
    question is in. `words`: how long the asked one is.
    """

    scores: Floats
    cosines: Floats
    same: NDArray[np.bool_]
    entries: NDArray[np.intp]
    words: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.intp]) -> Judged:
        """Return some of them, again and again if so given."""
        return Judged(
            self.scores[rows],
            self.cosines[rows],
            self.same[rows],
            self.entries[rows],
            self.words[rows],
        )


def judged(pairs: Sequence[Pair], scores: Floats, cosines: Floats) -> Judged:
    """Put scored pairs together."""
    roots = clusters(pairs)
    number = {root: n for n, root in enumerate(dict.fromkeys(roots.values()))}
    return Judged(
        scores=scores,
        cosines=cosines,
        same=np.array([pair.same for pair in pairs], dtype=np.bool_),
        entries=np.array([number[roots[pair.a]] for pair in pairs], dtype=np.intp),
        words=np.array([len(pair.b.split()) for pair in pairs], dtype=np.intp),
    )


def cosines_of(
    pairs: Sequence[Pair], positions: Sequence[int], embedder: Embedder, folder: Path = CACHE
) -> Floats:
    """Return the cosines of the pairs at `positions`, kept in `folder` for the next time."""
    kept = folder / f"pair-cosines-{embedder.fingerprint}.npz"
    found = stored(kept, positions)
    if found is not None:
        return found
    chosen = [pairs[position] for position in positions]
    texts = distinct(chosen)
    print(f"... embedding {len(texts)} questions", file=sys.stderr, flush=True)
    vectors = embedded(embedder, texts)
    row_of = {text: row for row, text in enumerate(texts)}
    a = vectors[[row_of[pair.a] for pair in chosen]]
    b = vectors[[row_of[pair.b] for pair in chosen]]
    values: Floats = np.einsum("ij,ij->i", a, b).astype(np.float64)
    _keep(kept, positions, values)
    return values


def verified(
    pairs: Sequence[Pair],
    positions: Sequence[int],
    cosines: Floats,
    verifier: Verifier,
    path: Path = SCORES,
) -> Floats:
    """Return the verifier's scores of the pairs at `positions`, kept for the next time.

    `cosines` of shape [positions].
    """
    chosen = [
        QuestionPair(pairs[position].a, pairs[position].b, float(cosine))
        for position, cosine in zip(positions, cosines, strict=True)
    ]
    print(f"... verifying {len(chosen)} pairs", file=sys.stderr, flush=True)
    batches = [
        verifier.score(chosen[start : start + _BATCH]) for start in range(0, len(chosen), _BATCH)
    ]
    values = np.concatenate(batches).astype(np.float64)
    _keep(path, positions, values)
    return values


def stored(path: Path, positions: Sequence[int]) -> Floats | None:
    """Return kept scores of the pairs at `positions`; None unless all are there."""
    if not path.exists():
        return None
    with np.load(path) as arrays:
        score_of = dict(zip(arrays["position"].tolist(), arrays["score"].tolist(), strict=True))
    if not all(position in score_of for position in positions):
        return None
    return np.array([score_of[position] for position in positions], dtype=np.float64)


def stretched(cosines: Floats) -> Floats:
    """Return a stand-in for the verifier's scores: cosines from 0.6 to 1 as 0 to 1."""
    return np.clip((cosines - 0.6) / 0.4, 0.0, 1.0)


def _keep(path: Path, positions: Sequence[int], values: Floats) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, position=np.array(positions), score=values)
