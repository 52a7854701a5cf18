"""No recomputation: reused KV stays as it is, rotated to its new place."""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints
from cachemw_policies.recompute.selectors.base import Selector


class Nothing(Selector):
    """Recomputes nothing: the lower bound of every report."""

    name = "none"

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        return np.zeros(len(evidence.chunk), dtype=np.int64)
