"""Fits the trees behind the cross-encoder: `python -m loadtests.verifier.fit`.

On the real pairs of the part `train` alone. Their logits are those of students that had not seen
them (recipe.py): the shipped encoder has seen them, and the trees would trust it too much. Writes
cachemw/assets/verifier/trees.safetensors; the same runs give the same bytes. Needs scikit-learn,
and the runs of training (runs.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cachemw_policies.likeness import FEATURES, features
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]

from loadtests.questions import pairs_file, read_pairs
from loadtests.verifier.cosines import Cosines, cosines
from loadtests.verifier.runs import RUNS, Rows, logit, read_rows, scores_of
from loadtests.verifier.split import parts

ASSET = Path(__file__).parents[2] / "cachemw" / "assets" / "verifier" / "trees.safetensors"
STUDENTS = ("s0", "s1", "s2", "s3", "s4")
SETS: Mapping[str, tuple[str, ...]] = {
    "full": FEATURES,
    # For embedders whose cosines are on another scale than those that it was fitted on.
    "alone": tuple(name for name in FEATURES if name != "cosine"),
}
_RISING = ("logit", "cosine")
_HOW = {
    "max_iter": 300,
    "learning_rate": 0.03,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 100,
    "max_features": 0.4,
    "l2_regularization": 2.0,
    "random_state": 0,
}

Table = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


def cosines_of_rows() -> Cosines:
    """Return the cosine of every real row, in the order in which prepare.py writes them."""
    found = parts(read_pairs(pairs_file()))
    return cosines()[[*found.train, *found.calibration, *found.test]]


def table(rows: Rows, logits: NDArray[np.float64], similar: Cosines) -> Table:
    """Return the features of all rows, shape [rows, len(FEATURES)]."""
    each = zip(rows.pairs, logits.tolist(), similar.tolist(), strict=True)
    return np.array([features(a, b, odds, cosine) for (a, b), odds, cosine in each])


def columns(names: tuple[str, ...]) -> list[int]:
    """Return the places of features."""
    return [FEATURES.index(name) for name in names]


def fitted(found: Table, same: NDArray[np.bool_], names: tuple[str, ...]) -> Any:
    """Return scikit-learn's trees, which never fall where the logit or the cosine rises."""
    rising = [int(name in _RISING) for name in names]
    trees = HistGradientBoostingClassifier(monotonic_cst=rising, **_HOW)
    return trees.fit(found[:, columns(names)], same)


def exported(trees: Any) -> Arrays:
    """Return the arrays that `cachemw_policies.trees.Trees` reads."""
    # scikit-learn has no public way to its trees; test_fit.py compares what they give.
    each = [one[0].nodes for one in trees._predictors]  # noqa: SLF001
    most = max(len(nodes) for nodes in each)
    shape = (len(each), most)
    arrays: Arrays = {
        "feature": np.full(shape, -1, np.int16),
        "threshold": np.zeros(shape),
        "left": np.zeros(shape, np.int16),
        "right": np.zeros(shape, np.int16),
        "value": np.zeros(shape, np.float32),
    }
    for row, nodes in enumerate(each):
        used = slice(0, len(nodes))
        split = nodes["is_leaf"] == 0
        arrays["feature"][row, used] = np.where(split, nodes["feature_idx"], -1)
        arrays["threshold"][row, used] = np.where(split, nodes["num_threshold"], 0.0)
        arrays["left"][row, used] = np.where(split, nodes["left"], 0)
        arrays["right"][row, used] = np.where(split, nodes["right"], 0)
        arrays["value"][row, used] = np.where(split, 0.0, nodes["value"])
    arrays["baseline"] = np.asarray(trees._baseline_prediction, np.float64).reshape(1)  # noqa: SLF001
    arrays["features"] = np.array([trees.n_features_in_], np.int32)
    return arrays


def run(folder: Path, out: Path) -> None:
    """Fit both sets and write them."""
    rows = read_rows(folder)
    train = rows.part == "train"
    learned = rows.of(train)
    odds = logit(scores_of(STUDENTS, learned, folder))
    found = table(learned, odds, cosines_of_rows()[train])
    arrays: Arrays = {}
    for prefix, names in SETS.items():
        print(f"... fitting {prefix}", file=sys.stderr, flush=True)
        trees = exported(fitted(found, learned.same, names))
        arrays |= {f"{prefix}.{name}": each for name, each in trees.items()}
    save_file(arrays, out)
    out.chmod(0o644)  # safetensors lets only its owner read it


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.verifier.fit", description=__doc__)
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs of training")
    parser.add_argument("--out", type=Path, default=ASSET)
    options = parser.parse_args()
    if not (options.runs / "rows.jsonl.gz").exists():
        print(f"{options.runs} has no rows; see loadtests/verifier/recipe.py", file=sys.stderr)
        return 1
    run(options.runs, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
