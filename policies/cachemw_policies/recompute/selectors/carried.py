"""Tokens that carry most from outside their chunk (own design)."""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints
from cachemw_policies.recompute.selectors.base import Selector, full_depth, top_overall


class Carried(Selector):
    """The most stored staleness, pooled over chunks; costs no evidence."""

    name = "carried"

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        return full_depth(evidence, top_overall(evidence.carried, int(quota.sum())))
