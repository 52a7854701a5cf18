from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.recompute.evidence import Need
from cachemw_policies.recompute.selectors.base import measured, top_overall, top_within

_SCORES = np.array([0.2, 0.7, 0.7, 0.1, 0.9], dtype=np.float32)


def test_the_best_of_all() -> None:
    assert top_overall(_SCORES, 2).tolist() == [1, 4]
    assert top_overall(_SCORES, 9).tolist() == [0, 1, 2, 3, 4]


def test_the_best_of_each_chunk() -> None:
    chunk = np.array([0, 0, 0, 1, 1])
    assert top_within(_SCORES, chunk, np.array([1, 1])).tolist() == [1, 4]
    assert top_within(_SCORES, chunk, np.array([0, 9])).tolist() == [3, 4]


def test_missing_evidence_is_named() -> None:
    with pytest.raises(ValueError, match="lacks deviation"):
        measured(None, Need.DEVIATION)
    assert measured(_SCORES, Need.DEVIATION) is _SCORES
