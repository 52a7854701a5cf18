"""Held-out pairs of questions with the score that the service would give them.

`calibration` is where thresholds are proven, `test` what is asked (loadtests/verifier/split.py).
Scores are the verifier's, from the file that its evaluation leaves; until there is one, cosines
stretched to [0, 1] take their place.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.questions import Pair, distinct, embedded
from loadtests.verifier.split import parts

KEPT = Path.home() / ".cache" / "cachemw-loadtests"
VERIFIER = "verifier"
COSINE = "cosine"

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Scored:
    """Pairs at `positions` of the file; arrays of shape [pairs], `scores` in [0, 1]."""

    positions: Numbers
    scores: Floats
    same: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class Held:
    """Both held-out parts, and what scored them: VERIFIER or COSINE."""

    calibration: Scored
    test: Scored
    scale: str


def held_out(pairs: Sequence[Pair], cache_dir: Path, kept: Path = KEPT) -> Held:
    """Return both parts, from the verifier's file where it has all of them."""
    split = parts(pairs)
    scores, scale = _stored(kept / "verifier-scores.npz"), VERIFIER
    wanted = [*split.calibration, *split.test]
    if not scores.keys() >= set(wanted):
        scores, scale = _cosines(pairs, wanted, cache_dir, kept), COSINE

    def scored(positions: Sequence[int]) -> Scored:
        return Scored(
            np.array(positions, dtype=np.intp),
            np.array([scores[position] for position in positions], dtype=np.float64),
            np.array([pairs[position].same for position in positions], dtype=np.bool_),
        )

    return Held(scored(split.calibration), scored(split.test), scale)


def stretched(cosines: Floats) -> Floats:
    """Return cosines from 0.6 to 1 as 0 to 1."""
    return np.clip((cosines - 0.6) / 0.4, 0.0, 1.0)


def _stored(path: Path) -> dict[int, float]:
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return dict(zip(arrays["position"].tolist(), arrays["score"].tolist(), strict=True))


def _cosines(
    pairs: Sequence[Pair], positions: Sequence[int], cache_dir: Path, kept: Path
) -> dict[int, float]:
    embedder = load_embedder(EmbedderSettings(), cache_dir)
    path = kept / f"overload-cosines-{embedder.fingerprint}.npz"
    found = _stored(path)
    if not found.keys() >= set(positions):
        chosen = [pairs[position] for position in positions]
        texts = distinct(chosen)
        print(f"... embedding {len(texts)} questions", file=sys.stderr, flush=True)
        vectors = embedded(embedder, texts)
        row_of = {text: row for row, text in enumerate(texts)}
        a, b = ([row_of[text] for text in side] for side in _sides(chosen))
        values = stretched(np.einsum("ij,ij->i", vectors[a], vectors[b]).astype(np.float64))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, position=np.array(positions), score=values)
        found = _stored(path)
    embedder.close()
    return found


def _sides(pairs: Sequence[Pair]) -> tuple[list[str], list[str]]:
    return [pair.a for pair in pairs], [pair.b for pair in pairs]
