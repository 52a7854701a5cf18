"""The first tokens of every chunk (EPIC, arXiv 2410.15332).

A chunk computed alone has attention sinks at its beginning, which are wrong behind other chunks.
"""

from __future__ import annotations

import numpy as np

from cachemw_policies.recompute.evidence import Evidence, Ints
from cachemw_policies.recompute.selectors.base import Selector, full_depth


class FirstK(Selector):
    """The first `quota[c]` tokens of chunk c."""

    name = "first_k"

    def depths(self, evidence: Evidence, quota: Ints, rng: np.random.Generator) -> Ints:  # noqa: ARG002
        """See `Selector`."""
        return full_depth(evidence, np.flatnonzero(evidence.offset < quota[evidence.chunk]))
