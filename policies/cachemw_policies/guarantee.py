"""What labels say of a category: its thresholds, pooled over all its entries (own design).

`thresholds` proves them. Here is where labels come from, and what they are worth.

*Rates of sampling.* Of served hits a share p is checked; candidates below the threshold are judged
for nothing. Pooled as they are, what lies under the threshold in force would count 1/p times. That
is safe where errors grow as scores fall, but it asks of the margin what the average may have. So a
label has a weight: 1 for a checked hit and p for a judged miss of the same time, as if one coin
had been thrown for both. `bounds.against` holds for such weights. One over p for hits would be
unbiased too, but a few sparse checks would then outweigh the dense ones of the first hours.

*Feedback* comes from who takes the trouble. Complaints count as errors, which is conservative;
praise is not used unless `positive_feedback` says so: it would hide the wrong answers that nobody
noticed.

*Drift.* A proof holds while errors at a score stay what they were. Recent labels are compared with
older ones of like score, at full weight: the free ones below the threshold tell of a change sooner
than the few checks above it. On an alarm what is older is forgotten, and thresholds have to be
proven anew. Errors among what is served are watched beside that (CUSUM, Page 1954): where they
come too fast, nothing is served until right ones have made up for them. Whatever is not served
gives a free label, so that a category always finds its way back.

The pool is bounded: past `window` labels a proof is of that window.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cachemw_policies import bounds
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState
from cachemw_policies.labels import Label, Source
from cachemw_policies.thresholds import (
    CALIBRATED,
    WITHHELD,
    Flags,
    Floats,
    GuaranteeSettings,
    calibrated,
)


class Pool:
    """A category's labels on one verifier's scale, oldest first; bounded. Not thread-safe."""

    def __init__(self, settings: GuaranteeSettings) -> None:
        self._settings = settings
        self.scores: Floats = np.empty(0)
        self.right: Flags = np.empty(0, dtype=np.bool_)
        self.weights: Floats = np.empty(0)
        #: The thresholds that have been proven since the last drift, by `delta`.
        self.held: dict[float, float] = {}
        #: How often errors have grown so that what was older was forgotten.
        self.drifts = 0
        self._unchecked = 0

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, labels: Iterable[Label]) -> None:
        """Add labels in their order, all of this pool's category and scale."""
        used = [label for label in labels if self._used(label)]
        self.extend(
            np.array([label.score for label in used], dtype=np.float64),
            np.array([label.right for label in used], dtype=np.bool_),
            np.array([label.weight for label in used], dtype=np.float64),
        )

    def extend(self, scores: Floats, right: Flags, weights: Floats) -> None:
        """Add labels in their order; arrays of shape [labels], `weights` in [0, 1]."""
        kept = scores >= self._settings.grid[-1]
        last = self._settings.window
        self.scores = np.concatenate((self.scores, scores[kept]))[-last:]
        self.right = np.concatenate((self.right, right[kept]))[-last:]
        self.weights = np.concatenate((self.weights, weights[kept]))[-last:]
        self._unchecked += int(np.count_nonzero(kept))
        if self._unchecked * 4 >= self._settings.recent:
            self._unchecked = 0
            if self._errs_more():
                self.forget()

    def forget(self) -> None:
        """Keep recent labels only: the older ones tell of another time."""
        self.drifts += 1
        self.held.clear()
        last = self._settings.recent
        self.scores, self.right = self.scores[-last:], self.right[-last:]
        self.weights = self.weights[-last:]

    def _used(self, label: Label) -> bool:
        praise = label.source is Source.FEEDBACK and label.right
        return self._settings.positive_feedback or not praise

    def _errs_more(self) -> bool:
        """Whether recent labels err more often than older ones of like score."""
        recent = self._settings.recent
        if len(self) < 2 * recent:
            return False
        rising = np.asarray(self._settings.grid)[::-4]
        strata = np.searchsorted(rising, self.scores, side="right")
        parts = (slice(None, -recent), slice(-recent, None))
        size = len(rising) + 1
        old, new = (_counted(strata[part], size) for part in parts)
        wrong = np.where(self.right, 0, strata + 1)  # 0: right, of no stratum
        old_wrong, new_wrong = (_counted(wrong[part], size + 1)[1:] for part in parts)
        return bounds.excess((old_wrong, new_wrong), (old, new)) > self._settings.alarm


def _counted(places: NDArray[np.intp], size: int) -> Floats:
    return np.bincount(places, minlength=size).astype(np.float64)


def state_of(pool: Pool, policy: CategoryPolicy, settings: GuaranteeSettings) -> CategoryState:
    """Return a category's thresholds for `delta` and for `delta_overload`, the latter no higher.

    What it proves is noted in the pool, and held from then on.
    """
    normal = _bar(pool, policy.delta, policy, settings)
    if policy.delta_overload <= policy.delta or policy.safety_critical:
        return CategoryState(normal, normal)
    overload = _bar(pool, policy.delta_overload, policy, settings)
    if normal.threshold is not None and (
        overload.threshold is None or overload.threshold > normal.threshold
    ):
        overload = normal
    return CategoryState(normal, overload)


def _bar(pool: Pool, delta: float, policy: CategoryPolicy, settings: GuaranteeSettings) -> Bar:
    # After a drift the shipped threshold is no better than what has just failed. Where errors do
    # harm nothing is served on trust at all.
    trusts = settings.cold_start == "threshold" and not policy.safety_critical
    serves_at_once = trusts and not pool.drifts
    cold_start = policy.threshold if serves_at_once else None
    held = pool.held.pop(delta, None)
    bar = calibrated(pool.scores, pool.right, delta, settings, cold_start, pool.weights, held)
    if bar.threshold is None:
        return bar
    if bar.origin == CALIBRATED:
        pool.held[delta] = bar.threshold
    if _runs_hot(pool, bar.threshold, delta, settings):
        return Bar(None, WITHHELD, bar.labels, bar.errors)
    return bar


def _runs_hot(pool: Pool, threshold: float, delta: float, settings: GuaranteeSettings) -> bool:
    """Whether errors at or above a threshold have come too fast of late."""
    above = pool.scores >= threshold
    worse = min(3 * delta, (1 + delta) / 2)
    gain, loss = np.log(worse / delta), np.log((1 - worse) / (1 - delta))
    steps = np.where(pool.right[above], loss, gain) * pool.weights[above]
    path = np.concatenate(([0.0], np.cumsum(steps)))
    return bool(path[-1] - path.min() >= np.log(settings.hot))


def known(pool: Pool, threshold: float) -> tuple[float, float]:
    """Return the weight of labels at or above a threshold, and of the errors among them."""
    above = pool.scores >= threshold
    wrong = above & ~pool.right
    return float(pool.weights[above].sum()), float(pool.weights[wrong].sum())


def false_hit_estimate(pool: Pool, threshold: float) -> tuple[float, float, float]:
    """Return the share of wrong answers at or above a threshold, and its 95 % interval.

    0 with (0, 1) where nothing is known. Complaints count as errors: it errs to the high side.
    """
    labels, errors = known(pool, threshold)
    return (errors / labels if labels else 0.0, *bounds.interval(errors, labels))
