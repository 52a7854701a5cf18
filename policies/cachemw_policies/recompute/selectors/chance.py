"""Random tokens: what a budget buys without any evidence."""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints
from cachemw_policies.recompute.selectors.base import Selector, full_depth


class Chance(Selector):
    """Any tokens of the prompt, each as likely as the others."""

    name = "random"

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:
        """See `Selector`."""
        count = min(int(quota.sum()), len(evidence.chunk))
        return full_depth(evidence, rng.permutation(len(evidence.chunk))[:count])
