"""Selectors of tokens to recompute, asked on two chunks of two and three tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cachemw_policies.recompute.evidence import Evidence, Floats
from cachemw_policies.recompute.selectors.base import Selector


def depths_of(
    selector: Selector,
    quota: Sequence[int],
    *,
    inter: Sequence[float] = (0,) * 5,
    carried: Sequence[float] = (0,) * 5,
    deviation: Sequence[float] | None = None,
    question: Sequence[float] | None = None,
) -> list[int]:
    """Return the depths for three layers; scores are [5], `quota` [2]."""
    evidence = Evidence(
        chunk=np.array([0, 0, 1, 1, 1]),
        offset=np.array([0, 1, 0, 1, 2]),
        layers=3,
        inter=_floats(inter),
        carried=_floats(carried),
        deviation=None if deviation is None else _floats(deviation),
        question=None if question is None else _floats(question),
    )
    depths = selector.depths(evidence, np.array(quota), np.random.default_rng(1))
    return [int(depth) for depth in depths]


def _floats(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float32)
