"""What a selector is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Floats, Ints, Need


class Selector(ABC):
    """Chooses tokens of reused chunks; one a file, all in `table.py`."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset()

    @abstractmethod
    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:
        """Return for each reused token in how many layers, from the first on, it is recomputed.

        `quota`: tokens of each chunk, [chunks], that may be recomputed in all layers; together
        quota.sum() x layers token-layers may be spent. A selector may move its quota between
        chunks. Result: [tokens] of 0..layers, its sum within what may be spent.
        """


def top_within(scores: Floats, chunk: Ints, quota: Ints) -> Ints:
    """Return the indices, ascending, of the `quota[c]` best scores of each chunk.

    Of equal scores the first.
    """
    order = np.lexsort((np.arange(len(scores)), -scores, chunk))
    starts = np.concatenate([[0], np.cumsum(np.bincount(chunk, minlength=len(quota)))[:-1]])
    rank = np.arange(len(scores)) - starts[chunk[order]]
    return np.sort(order[rank < quota[chunk[order]]])


def top_overall(scores: Floats, count: int) -> Ints:
    """Return the indices, ascending, of the `count` best scores; of equals the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])


def full_depth(evidence: Evidence, chosen: Ints) -> Ints:
    """Return depths that recompute the `chosen` tokens in all layers."""
    depths = np.zeros(len(evidence.chunk), dtype=np.int64)
    depths[chosen] = evidence.layers
    return depths


def measured(scores: Floats | None, need: Need) -> Floats:
    """Return `scores`; raises ValueError where the evidence came without what `need` names."""
    if scores is None:
        raise ValueError(f"the evidence lacks {need.value}, which this selector needs")
    return scores
