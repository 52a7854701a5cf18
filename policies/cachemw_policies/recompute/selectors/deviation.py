"""Tokens whose KV changes most behind the new prefix (CacheBlend, arXiv 2405.16444, section 4)."""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints, Need
from cachemw_policies.recompute.selectors.base import Selector, full_depth, measured, top_overall


class Deviation(Selector):
    """The highest deviations at layer 1, pooled over chunks."""

    name = "deviation"
    needs = frozenset({Need.DEVIATION})

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        scores = measured(evidence.deviation, Need.DEVIATION)
        return full_depth(evidence, top_overall(scores, int(quota.sum())))
