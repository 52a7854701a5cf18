"""The error budgets and thresholds that the calibration part proves."""

from __future__ import annotations

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import CategoryState
from cachemw_policies.thresholds import GuaranteeSettings, calibrated

from loadtests.overload.scores import Held

DELTAS = (0.03, 0.05, 0.1, 0.15, 0.2)
"""Error budgets in calm, of which the smallest is taken that the calibration part can prove."""
_OVERLOAD_TIMES, _OVERLOAD_MOST = 3, 0.3
"""Under overload a budget grows that many times over, up to that."""
_TTL_S = 3600.0


def proven(held: Held) -> tuple[CategoryPolicy, CategoryState]:
    """Return a policy and its thresholds, proven on the calibration part.

    Raises ValueError where none can be.
    """
    settings = GuaranteeSettings()
    scores, same = held.calibration.scores, held.calibration.same
    for delta in DELTAS:
        wider = min(_OVERLOAD_TIMES * delta, _OVERLOAD_MOST)
        normal, overload = (
            calibrated(scores, same, each, settings, None) for each in (delta, wider)
        )
        if normal.threshold is not None and overload.threshold is not None:
            policy = CategoryPolicy(
                "default",
                ttl=_TTL_S,
                ttl_overload=4 * _TTL_S,
                delta=delta,
                delta_overload=wider,
            )
            return policy, CategoryState(normal, overload)
    raise ValueError(f"no threshold can be proven for error budgets up to {DELTAS[-1]:g}")
