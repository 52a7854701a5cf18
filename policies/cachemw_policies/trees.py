"""Gradient-boosted trees (Friedman 2001), evaluated without walking any of them.

Every leaf of a tree is a bit. A split that a row passes on the right rules out the leaves on its
left; the leftmost leaf that no split rules out is the one that a walk would reach. The masks of all
splits on one feature are combined beforehand for every place among its thresholds, so that a row
costs one binary search and one AND over all trees for each feature (after QuickScorer, Lucchese et
al., SIGIR 2015; the prefixes are own design and take thresholds * trees * 2 bytes a feature).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARRAYS = ("feature", "threshold", "left", "right", "value", "baseline", "features")
"""What `Trees.from_arrays` reads; `[trees, nodes]` but for the last two, which have one element."""

_LEAVES = 16  # of a tree at most: the bits of a mask
_MOST = 4096  # trees, nodes of one, features: far above what is sensible


@dataclass(frozen=True, slots=True)
class _Splits:
    """All splits on one feature.

    `ruled[n]`, shape [trees], has the leaves that are left where n thresholds are below the value.
    """

    feature: int
    thresholds: NDArray[np.float64]
    ruled: NDArray[np.uint16]


class Trees:
    """Trees whose summed values are the logit of a probability."""

    def __init__(
        self, features: int, baseline: float, splits: list[_Splits], leaves: NDArray[np.float32]
    ) -> None:
        self.features = features
        self._baseline = baseline
        self._splits = splits
        self._leaves = leaves.ravel()
        self._first = np.arange(len(leaves), dtype=np.intp) * _LEAVES
        self._every = np.full(len(leaves), 0xFFFF, dtype=np.uint16)
        # The lowest bit of every mask.
        masks = np.arange(1 << _LEAVES, dtype=np.uint32)
        self._lowest = np.zeros(1 << _LEAVES, dtype=np.int8)
        for bit in reversed(range(_LEAVES)):
            self._lowest[(masks >> bit) & 1 == 1] = bit

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Trees:
        """Return the trees in `arrays`.

        `feature`, `left` and `right` are whole numbers, shape [trees, nodes]; node 0 is the root,
        children come after their parent, `feature` is -1 where a node is a leaf or not used. A row
        goes left where its feature is at most the node's `threshold`. `value` is that of a leaf.
        `baseline` is added to the sum, `features` says how many a row has.

        Raises ValueError where that is not what they say, or a tree has more than 16 leaves.
        """
        feature, threshold, left, right, value = _nodes(arrays)
        features, baseline = _one(arrays, "features"), _one(arrays, "baseline")
        if features != int(features) or not 1 <= features <= _MOST:
            raise ValueError(f"trees: {features} features")
        if int(feature.max()) >= features or int(feature.min()) < -1:
            raise ValueError("trees: a split on a feature that there is not")
        leaves = np.zeros((len(feature), _LEAVES), dtype=np.float32)
        found: list[tuple[int, float, int, int]] = []
        for tree in range(len(feature)):
            below = _leaves_below(tree, feature[tree], left[tree], right[tree])
            for bit, node in enumerate(below[0]):
                leaves[tree, bit] = value[tree, node]
            for node, (start, end) in _spans(below, left[tree], right[tree]).items():
                mask = 0xFFFF & ~(((1 << end) - 1) ^ ((1 << start) - 1))
                found.append((int(feature[tree, node]), float(threshold[tree, node]), tree, mask))
        return cls(int(features), baseline, _by_feature(found, len(feature)), leaves)

    def probability(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the probability of each row; `rows` is [n, features], what is returned [n].

        Raises ValueError for another shape, or a value that is not a number.
        """
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"trees: rows of shape {rows.shape}, not [n, {self.features}]")
        if np.isnan(rows).any():
            raise ValueError("trees: a feature is not a number")
        left = np.repeat(self._every[None], len(rows), axis=0)
        for splits in self._splits:
            left &= splits.ruled[splits.thresholds.searchsorted(rows[:, splits.feature])]
        values = self._leaves[self._first + self._lowest[left]]
        total = values.sum(axis=1, dtype=np.float64) + self._baseline
        # Beyond this the result is 0 or 1 in any case, and exp says that it overflows.
        probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(total, -500, 500)))
        return probability.astype(np.float32)


def _nodes(arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the five arrays of nodes, or say what is wrong with one."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise ValueError(f"trees: no {', '.join(missing)}")
    nodes = [arrays[name] for name in ARRAYS[:5]]
    shape = nodes[0].shape
    if len(shape) != 2 or 0 in shape or max(shape) > _MOST:
        raise ValueError(f"trees: nodes of shape {shape}")
    for name, each in zip(ARRAYS, nodes, strict=False):
        whole = name in {"feature", "left", "right"}
        if each.shape != shape or each.dtype.kind != ("i" if whole else "f"):
            raise ValueError(f"trees: {name} is {each.dtype} {each.shape}")
        if not whole and not np.isfinite(each).all():
            raise ValueError(f"trees: {name} is not finite")
    return nodes


def _one(arrays: Mapping[str, NDArray[Any]], name: str) -> float:
    each = arrays[name]
    if each.shape != (1,) or each.dtype.kind not in "fi" or not np.isfinite(each[0]):
        raise ValueError(f"trees: {name} is {each.dtype} {each.shape}, not one finite number")
    return float(each[0])


def _leaves_below(
    tree: int, feature: NDArray[Any], left: NDArray[Any], right: NDArray[Any]
) -> dict[int, list[int]]:
    """Return the leaves below every node, from left to right.

    Children come after their parent, which rules out circles; so the nodes are gone through
    backwards.
    """
    below: dict[int, list[int]] = {}
    for node in reversed(range(len(feature))):
        if feature[node] < 0:
            below[node] = [node]
            continue
        children = int(left[node]), int(right[node])
        if not all(node < child < len(feature) for child in children):
            raise ValueError(f"trees: tree {tree} has a child that does not come after its parent")
        leaves = below[children[0]] + below[children[1]]
        if len(leaves) > _LEAVES or len(set(leaves)) < len(leaves):
            raise ValueError(f"trees: tree {tree} has over {_LEAVES} leaves, or one twice")
        below[node] = leaves
    return below


def _spans(
    below: Mapping[int, list[int]], left: NDArray[Any], right: NDArray[Any]
) -> dict[int, tuple[int, int]]:
    """Return, for the root and every split below it, which leaves are on its left: from, to."""
    spans = {}
    open_nodes = [(0, 0)]  # a node, and its first leaf
    while open_nodes:
        node, start = open_nodes.pop()
        if len(below[node]) > 1:
            end = start + len(below[int(left[node])])
            spans[node] = (start, end)
            open_nodes += [(int(left[node]), start), (int(right[node]), end)]
    return spans


def _by_feature(found: list[tuple[int, float, int, int]], trees: int) -> list[_Splits]:
    """Combine the masks of (feature, threshold, tree, mask) for each place among thresholds."""
    together = []
    for feature in sorted({each[0] for each in found}):
        mine = [each[1:] for each in found if each[0] == feature]
        thresholds = np.unique([threshold for threshold, _, _ in mine])
        ruled = np.full((len(thresholds) + 1, trees), 0xFFFF, dtype=np.uint16)
        for threshold, tree, mask in mine:
            ruled[int(thresholds.searchsorted(threshold)) + 1, tree] &= mask
        together.append(_Splits(feature, thresholds, np.bitwise_and.accumulate(ruled, axis=0)))
    return together
