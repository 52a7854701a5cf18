"""Trees against scikit-learn, against a plain walk, and against broken arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cachemw_policies.trees import Trees
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def stump(**changed: NDArray[Any]) -> Arrays:
    """Return one tree: x0 <= 0.5 ? -1 : (x1 <= 2 ? 1 : 3)."""
    arrays: Arrays = {
        "feature": np.array([[0, -1, 1, -1, -1]], np.int16),
        "threshold": np.array([[0.5, 0, 2, 0, 0]]),
        "left": np.array([[1, 0, 3, 0, 0]], np.int16),
        "right": np.array([[2, 0, 4, 0, 0]], np.int16),
        "value": np.array([[0, -1, 0, 1, 3]], np.float32),
        "baseline": np.array([0.25]),
        "features": np.array([2], np.int32),
    }
    return arrays | changed


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize(
    ("row", "value"),
    [((0.5, 9), -1), ((0.51, 2), 1), ((0.51, 2.01), 3), ((-np.inf, 0), -1), ((np.inf, np.inf), 3)],
)
def test_a_row_at_the_threshold_goes_left(row: tuple[float, float], value: float) -> None:
    found = Trees.from_arrays(stump()).probability(np.array([row]))
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([sigmoid(value + 0.25)])


def test_nodes_that_no_parent_has_are_of_no_account() -> None:
    spare = {
        "feature": np.array([[0, -1, 1, -1, -1, -1]], np.int16),
        "threshold": np.array([[0.5, 0, 2, 0, 0, 0]]),
        "left": np.array([[1, 0, 4, 0, 0, 0]], np.int16),
        "right": np.array([[2, 0, 5, 0, 0, 0]], np.int16),
        "value": np.array([[0, -1, 0, 9, 1, 3]], np.float32),
    }
    spare["feature"][0, 3], spare["left"][0, 3], spare["right"][0, 3] = 1, 4, 5
    rows = np.array([[0, 0], [1, 0], [1, 3]])
    found = Trees.from_arrays(stump(**spare)).probability(rows)
    assert found.tolist() == Trees.from_arrays(stump()).probability(rows).tolist()


def test_no_rows_have_no_probabilities() -> None:
    assert Trees.from_arrays(stump()).probability(np.zeros((0, 2))).shape == (0,)


def test_a_tree_may_be_one_leaf() -> None:
    arrays = stump(
        feature=np.array([[-1]], np.int16),
        threshold=np.zeros((1, 1)),
        left=np.zeros((1, 1), np.int16),
        right=np.zeros((1, 1), np.int16),
        value=np.array([[2.0]]),
    )
    assert Trees.from_arrays(arrays).probability(np.zeros((1, 2)))[0] == pytest.approx(
        sigmoid(2.25)
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"left": np.array([[0, 0, 3, 0, 0]], np.int16)}, "come after"),
        ({"right": np.array([[5, 0, 4, 0, 0]], np.int16)}, "come after"),
        ({"left": np.array([[-1, 0, 3, 0, 0]], np.int16)}, "come after"),
        ({"left": np.array([[2, 0, 3, 0, 0]], np.int16)}, "twice"),
        ({"feature": np.array([[2, -1, 1, -1, -1]], np.int16)}, "feature"),
        ({"feature": np.array([[-2, -1, 1, -1, -1]], np.int16)}, "feature"),
        ({"feature": np.array([[0.0, -1, 1, -1, -1]])}, "float64"),
        ({"threshold": np.array([[np.nan, 0, 2, 0, 0]])}, "finite"),
        ({"value": np.array([[0, np.inf, 0, 1, 3]])}, "finite"),
        ({"value": np.zeros((1, 4))}, "value is"),
        ({"baseline": np.zeros(2)}, "one finite"),
        ({"baseline": np.array([np.nan])}, "one finite"),
        ({"features": np.array([0], np.int32)}, "features"),
        ({"features": np.array([1.5])}, "features"),
    ],
)
def test_what_is_no_tree_is_refused(changed: Arrays, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Trees.from_arrays(stump(**changed))


@pytest.mark.parametrize("shape", [(0, 5), (5,), (1, 5000)])
def test_impossible_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        Trees.from_arrays(stump(feature=np.zeros(shape, np.int16)))


def test_a_missing_array_is_named() -> None:
    arrays = stump()
    del arrays["value"]
    with pytest.raises(ValueError, match="no value"):
        Trees.from_arrays(arrays)


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 3)), np.zeros(2), np.array([[0.0, np.nan]])], ids=["wide", "flat", "nan"]
)
def test_what_is_no_row_is_refused(rows: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="trees"):
        Trees.from_arrays(stump()).probability(rows)


def grown(rng: np.random.Generator, leaves: int, nodes: int, features: int) -> Arrays:
    """Return one random tree with that many leaves, its nodes in the order they were split in."""
    feature, left, right = [-1], [0], [0]
    ends = [0]
    while len(ends) < leaves:
        node = ends.pop(int(rng.integers(len(ends))))
        feature[node], left[node], right[node] = (
            int(rng.integers(features)),
            *(
                len(feature),
                len(feature) + 1,
            ),
        )
        ends += [len(feature), len(feature) + 1]
        feature += [-1, -1]
        left += [0, 0]
        right += [0, 0]
    room = nodes - len(feature)
    return {
        "feature": np.array([*feature, *[-1] * room], np.int16),
        "left": np.array([*left, *[0] * room], np.int16),
        "right": np.array([*right, *[0] * room], np.int16),
        "threshold": rng.integers(-2, 3, nodes).astype(np.float64),
        "value": rng.normal(size=nodes).astype(np.float32),
    }


def walked(arrays: Arrays, row: NDArray[np.float64]) -> float:
    total = float(arrays["baseline"][0])
    for tree in range(len(arrays["feature"])):
        node = 0
        while (feature := arrays["feature"][tree, node]) >= 0:
            side = "left" if row[feature] <= arrays["threshold"][tree, node] else "right"
            node = int(arrays[side][tree, node])
        total += float(arrays["value"][tree, node])
    return sigmoid(total)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 16), min_size=1, max_size=5))
def test_a_walk_ends_at_the_same_leaf(seed: int, leaves: list[int]) -> None:
    rng = np.random.default_rng(seed)
    each = [grown(rng, count, 31, 3) for count in leaves]
    arrays: Arrays = {name: np.stack([one[name] for one in each]) for name in each[0]}
    arrays |= {"baseline": np.array([0.1]), "features": np.array([3], np.int16)}
    rows = rng.integers(-3, 4, (20, 3)).astype(np.float64)
    found = Trees.from_arrays(arrays).probability(rows)
    assert found.tolist() == pytest.approx([walked(arrays, row) for row in rows], abs=1e-6)


def test_seventeen_leaves_are_too_many() -> None:
    one = grown(np.random.default_rng(0), 17, 33, 2)
    with pytest.raises(ValueError, match="leaves"):
        Trees.from_arrays(stump(**{name: each[None] for name, each in one.items()}))
