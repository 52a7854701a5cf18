"""The thresholds that the calibration part proves."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.overload.proof import proven
from loadtests.overload.scores import VERIFIER, Held, Scored

SCORED = Scored(np.arange(4), np.linspace(0, 1, 4), np.array([True, False, True, True]))


def test_thresholds_are_proven_or_refused() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(4000)
    good = Scored(np.arange(4000), scores, rng.random(4000) < scores)
    policy, found = proven(Held(good, SCORED, VERIFIER))
    assert policy.delta == 0.05
    assert policy.delta_overload == pytest.approx(0.15)
    assert found.normal.threshold is not None
    assert found.overload.threshold is not None
    assert found.overload.threshold < found.normal.threshold
    with pytest.raises(ValueError, match="no threshold"):
        proven(Held(SCORED, SCORED, VERIFIER))
