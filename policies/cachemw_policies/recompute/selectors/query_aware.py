"""Tokens that the question attends to (in the manner of ProphetKV)."""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints, Need
from cachemw_policies.recompute.selectors.base import Selector, full_depth, measured, top_overall


class QueryAware(Selector):
    """The most attended by the question, pooled over chunks."""

    name = "query_aware"
    needs = frozenset({Need.QUESTION})

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        scores = measured(evidence.question, Need.QUESTION)
        return full_depth(evidence, top_overall(scores, int(quota.sum())))
