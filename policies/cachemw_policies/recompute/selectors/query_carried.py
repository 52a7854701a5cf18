"""Stale tokens that matter to the question (own design).

A token's error reaches the answer in as far as the token is wrong and the question reads it, so
the score is the product of both. An entity is several tokens of which attention marks one: the
question's scores are smoothed over neighbours, so that the others come too.
"""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Floats, Ints, Need
from cachemw_policies.recompute.selectors.base import Selector, full_depth, measured, top_overall


class QueryCarried(Selector):
    """The largest products of attention by the question and staleness, pooled."""

    name = "query_carried"
    needs = frozenset({Need.QUESTION})

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        question = measured(evidence.question, Need.QUESTION)
        scores = smoothed(question, evidence.chunk) * evidence.carried
        return full_depth(evidence, top_overall(scores, int(quota.sum())))


def smoothed(scores: Floats, chunk: Ints) -> Floats:
    """Return `scores` averaged with weights 1, 2, 1 over neighbours of the same chunk, twice.

    Shapes [tokens]. At a chunk's ends what is missing weighs nothing.
    """
    same = (chunk[1:] == chunk[:-1]).astype(np.float32)
    weights = np.full(len(chunk), 2.0, dtype=np.float32)
    weights[1:] += same
    weights[:-1] += same
    for _ in range(2):
        sums = 2 * scores
        sums[1:] += same * scores[:-1]
        sums[:-1] += same * scores[1:]
        scores = sums / weights
    return scores
