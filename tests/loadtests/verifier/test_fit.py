"""The trees that are written are the ones that were fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cachemw_policies.likeness import FEATURES, features
from cachemw_policies.trees import Trees
from safetensors.numpy import load_file

from loadtests.verifier.fit import ASSET, SETS, columns, exported, fitted, table
from loadtests.verifier.runs import Rows


def questions(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    found = rng.normal(size=(count, len(FEATURES))).round(1)  # ties, as of counted words
    return found, found[:, 0] + 0.5 * found[:, 1] * found[:, 2] + rng.normal(size=count) > 0


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_what_is_exported_says_what_scikit_learn_says(names: tuple[str, ...]) -> None:
    found, same = questions(3000)
    trees = fitted(found, same, names)
    mine = Trees.from_arrays(exported(trees))
    asked = questions(3500)[0][3000:][:, columns(names)]
    assert np.abs(mine.probability(asked) - trees.predict_proba(asked)[:, 1]).max() < 1e-5
    assert mine.features == len(names)


def test_the_same_rows_give_the_same_trees() -> None:
    one, other = (exported(fitted(*questions(1000), SETS["alone"])) for _ in range(2))
    assert all((one[name] == other[name]).all() for name in one)


def test_features_are_in_their_rows_places() -> None:
    pairs = [("red cat", "blue cat"), ("one", "two")]
    rows = Rows(np.arange(2), pairs, np.array([True, False]), np.array(["train", "train"]))
    found = table(rows, np.array([1.0, 2.0]), np.array([0.5, 0.25], np.float32))
    assert found[1].tolist() == list(features("one", "two", 2.0, 0.25))


@pytest.mark.parametrize("prefix", SETS)
def test_the_shipped_trees_never_fall_where_logit_or_cosine_rise(prefix: str) -> None:
    arrays = {
        name.removeprefix(f"{prefix}."): each
        for name, each in load_file(ASSET).items()
        if name.startswith(f"{prefix}.")
    }
    trees, names = Trees.from_arrays(arrays), SETS[prefix]
    assert trees.features == len(names)
    row = dict(
        zip(FEATURES, features("How do I sort it?", "How to sort it", 0.0, 0.9), strict=True)
    )
    for rising in {"logit", "cosine"} & set(names):
        steps = np.linspace(-8, 8, 200) if rising == "logit" else np.linspace(0, 1, 200)
        rows = np.array([[(row | {rising: step})[name] for name in names] for step in steps])
        found = trees.probability(rows)
        assert (np.diff(found) >= -1e-6).all()
        assert found[-1] > found[0]


def test_the_asset_can_be_read_by_everyone() -> None:
    assert Path(ASSET).stat().st_mode & 0o044 == 0o044
