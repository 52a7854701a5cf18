"""Tokens that attended most to earlier chunks (Cache-Craft, arXiv 2502.15734)."""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints
from cachemw_policies.recompute.selectors.base import Selector, full_depth, top_within


class InterAttention(Selector):
    """In each chunk the `quota[c]` tokens of most stored attention to what stood before it."""

    name = "inter_attention"

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        return full_depth(evidence, top_within(evidence.inter, evidence.chunk, quota))
