"""A verifier without a second encoder: `python -m loadtests.verifier.baseline`.

Gradient boosting on what the embedder already has: |u - v|, u * v, the cosine, and the words in
common. Learns from the part `train` and scores the others; writes gbt.npz beside the runs of
training. Needs scikit-learn; takes about ten minutes of two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]

from cachemw.config import default_cache_dir
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.questions import Pair, Vectors, distinct, embedded, pairs_file, read_pairs
from loadtests.verifier.runs import RUNS
from loadtests.verifier.split import parts

NAME = "gbt.npz"
Table = NDArray[np.float32]
Texts = Sequence[tuple[str, str]]


def table(u: Vectors, v: Vectors, pairs: Texts) -> Table:
    """Return features, shape [pairs, 2 * dimension + 2]; `u` and `v` are unit vectors."""
    cosine = np.einsum("ij,ij->i", u, v)[:, None]
    common = np.array([[overlap(a, b)] for a, b in pairs], np.float32)
    return np.concatenate([np.abs(u - v), u * v, cosine, common], axis=1)


def overlap(a: str, b: str) -> float:
    """Return the share of words that both have of those that either has."""
    one, other = set(a.lower().split()), set(b.lower().split())
    return len(one & other) / max(1, len(one | other))


def boosted(
    learned: Table, same: NDArray[np.bool_], asked: Table, iterations: int = 400
) -> NDArray[np.float64]:
    """Return the probabilities of `asked`, shape [len(asked)]."""
    trees = HistGradientBoostingClassifier(
        max_iter=iterations, learning_rate=0.08, max_leaf_nodes=31, random_state=0
    )
    found: NDArray[np.float64] = trees.fit(learned, same).predict_proba(asked)[:, 1]
    return found


def run(pairs: Sequence[Pair], cache_dir: Path) -> dict[str, NDArray[Any]]:
    """Return scores `g`, cosines `cos` and labels `same` of the calibration and the test part."""
    split, texts = parts(pairs), distinct(pairs)
    place = {text: row for row, text in enumerate(texts)}
    embedder = load_embedder(EmbedderSettings(), cache_dir)
    vectors = embedded(embedder, texts)
    embedder.close()
    order = [*split.train, *split.calibration, *split.test]
    chosen = [pairs[position] for position in order]
    u, v = (
        vectors[[place[text] for text in side]]
        for side in ([pair.a for pair in chosen], [pair.b for pair in chosen])
    )
    found = table(u, v, [(pair.a, pair.b) for pair in chosen])
    same = np.array([pair.same for pair in chosen])
    learn = len(split.train)
    scores = boosted(found[:learn], same[:learn], found[learn:])
    return {"g": scores, "cos": found[learn:, -2], "same": same[learn:].astype(np.float32)}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.verifier.baseline")
    parser.description = __doc__
    parser.add_argument("--out", type=Path, default=RUNS / NAME)
    options = parser.parse_args()
    if not pairs_file().exists():
        print(f"{pairs_file()} is not there; CACHEMW_SHARED_DATA names its folder", file=sys.stderr)
        return 1
    found = run(read_pairs(pairs_file()), default_cache_dir(os.environ))
    np.savez(options.out, allow_pickle=False, **found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
