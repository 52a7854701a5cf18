"""The threshold that labels prove: pooled over a category (own design on published parts).

Thresholds of a fixed grid are tested from high to low, and the lowest that the unbroken sequence
reaches is used (fixed-sequence testing: Learn then Test, arXiv 2110.01052, section 3). Each test
is of 'at least `delta` of what scores here or above is wrong', at the same level `alpha`: in an
unbroken sequence the first false rejection is that of the first true hypothesis, so the number of
tests costs nothing.

*Peeking.* Labels come one by one and are tested whenever some have come. Clopper-Pearson bounds
hold for one look; over a growing number of labels some look succeeds by luck. The default is a test
martingale (`bounds.against`): the chance that it ever rejects wrongly is at most alpha. The price
is about half again as many labels (148 without an error instead of 99, at 3 %). `anytime=False`
gives the bounds of one look, for data that is complete, as in `cachemw calibrate`.

*Where the sequence starts.* At the top of the grid there are too few labels to prove anything, so
the tests begin further down. Where, depends on the scores alone, never on outcomes; given the
scores, outcomes are still independent and each test keeps its level. To begin at the first point
that could pass without a single error would be valid and useless: that point always has just as
many labels as allow none, and one wrong label would end the sequence for ever. It begins where a
share `starts` of all labels is above, whose power grows with the labels; each start is a
sequence of its own at its share of alpha. The start moves as labels come; where it is below the
true threshold, its neighbours are tested too and the level holds for each, not for all at once.

*Rates of sampling.* Of served hits a share p is checked; candidates below the threshold are judged
for nothing. Pooled as they are, what lies under the threshold in force would count 1/p times. That
is safe where errors grow as scores fall, but it asks the margin to meet what the average may. So a
label has a weight: 1 for a checked hit and p for a judged miss of the same time, as if one coin
had been thrown for both. `bounds.against` holds for such weights. One over p for hits would be
unbiased too, but a few sparse checks would then outweigh the dense ones of the first hours.

*Feedback* comes from who takes the trouble. Complaints count as errors, which is conservative;
praise is not used unless `positive_feedback` says so: it would hide the wrong answers that nobody
noticed.

*Drift.* All this holds while errors at a score stay what they were. Recent labels are compared with
older ones of like score, which the free ones below the threshold make sensitive, and recent labels
at or above the threshold with `delta`. On an alarm what is older is forgotten, and the threshold
has to be proven anew; where it cannot be, nothing is served and every candidate gives a free label.
The pool is bounded: past `window` labels the guarantee is that of each window by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cachemw_policies import bounds
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState
from cachemw_policies.labels import Label, Source

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

COLD_START = "cold start"
CALIBRATED = "calibrated"
PROBATION = "probation"
WITHHELD = "withheld"


def _grid() -> tuple[float, ...]:
    """Return 0.5 to 0.999 in even steps of log-odds, high to low."""
    odds = np.exp(np.arange(46, -1, -1) * 0.15)
    return tuple(float(round(one / (1 + one), 4)) for one in odds)


@dataclass(frozen=True, slots=True)
class GuaranteeSettings:
    """How thresholds are proven.

    `alpha`: the chance to be wrong about a threshold. `grid`: thresholds from high to low; labels
    below its last are of no use and not kept. `starts`: shares of the labels, of which each begins
    a sequence. `cold_start`: until labels suffice, serve from the policy's `threshold` on, or
    nothing (`probation`); `patience`: how many times the labels that could prove the cold start's
    threshold it may go without proof. `window`: labels kept. `recent`: labels compared with those
    before them, `alarm` the standard deviations that are too many.
    """

    alpha: float = 0.05
    grid: tuple[float, ...] = _grid()
    starts: tuple[float, ...] = (0.25, 0.03)
    anytime: bool = True
    cold_start: Literal["threshold", "probation"] = "probation"
    patience: float = 3.0
    window: int = 4000
    recent: int = 300
    alarm: float = 3.5
    positive_feedback: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Labels and errors at or above each threshold of the grid, weighted and plain."""

    labels: Floats
    errors: Floats
    counted: Floats
    wrong: Floats


def tally(scores: Floats, right: Flags, weights: Floats, grid: Sequence[float]) -> Tally:
    """Count; the arrays are of shape [labels], those returned of shape [grid]."""
    rising = np.asarray(grid)[::-1]
    # A label counts for every threshold up to its score: at index 0 for none.
    place = np.searchsorted(rising, scores, side="right")
    wrong = ~right

    def above(what: Floats | None, some: NDArray[np.intp]) -> Floats:
        counts = np.bincount(some, what, len(rising) + 1)[1:]
        return np.asarray(np.cumsum(counts[::-1]), dtype=np.float64)

    return Tally(
        above(weights, place),
        above(weights[wrong], place[wrong]),
        above(None, place),
        above(None, place[wrong]),
    )


def proven(counts: Tally, delta: float, settings: GuaranteeSettings) -> int | None:
    """Return the position in the grid of the lowest threshold that is proven, if any is."""
    level = settings.alpha / len(settings.starts)
    passes = _passes(counts.errors, counts.labels, delta, level, settings)
    able = _passes(np.zeros_like(counts.labels), counts.labels, delta, level, settings)
    lowest = None
    for share in settings.starts:
        begins = able & (counts.labels >= share * counts.labels[-1])
        if not begins.any():
            continue
        start = int(np.argmax(begins))
        run = passes[start:]
        length = len(run) if run.all() else int(np.argmin(run))
        if length and (lowest is None or start + length - 1 > lowest):
            lowest = start + length - 1
    return lowest


def _passes(
    errors: Floats, labels: Floats, delta: float, level: float, settings: GuaranteeSettings
) -> Flags:
    if settings.anytime:
        evidence = bounds.against(errors, labels, delta)
        return np.asarray(evidence >= np.log(1 / level), dtype=np.bool_)
    return np.asarray(bounds.upper(errors, labels, level) <= delta, dtype=np.bool_)


def calibrated(
    scores: Floats,
    right: Flags,
    delta: float,
    settings: GuaranteeSettings,
    cold_start: float | None,
    weights: Floats | None = None,
) -> Bar:
    """Return the threshold for `delta`: the proven one, else the cold start's, else none.

    Arrays of shape [labels]; `weights` in [0, 1], all 1 if not given. `cold_start` None: nothing
    unproven is served.
    """
    if delta <= 0:
        return Bar(None, WITHHELD)
    if weights is None:
        weights = np.ones(len(scores))
    counts = tally(scores, right, weights, settings.grid)
    lowest = proven(counts, delta, settings)
    if lowest is not None:
        labels, errors = int(counts.counted[lowest]), int(counts.wrong[lowest])
        return Bar(settings.grid[lowest], CALIBRATED, labels, errors)
    if cold_start is None:
        return Bar(None, PROBATION, len(scores), int(np.count_nonzero(~right)))
    return _unproven(tally(scores, right, weights, (cold_start,)), delta, settings, cold_start)


def _unproven(counts: Tally, delta: float, settings: GuaranteeSettings, cold_start: float) -> Bar:
    """Serve from the cold start's threshold on until labels speak against it, or should for it."""
    labels, errors = counts.labels, counts.errors
    refuted = bounds.lower(errors, labels, settings.alpha) > delta
    overdue = _passes(np.zeros(1), labels / settings.patience, delta, settings.alpha, settings)
    if refuted[0] or overdue[0]:
        return Bar(None, WITHHELD, int(counts.counted[0]), int(counts.wrong[0]))
    return Bar(cold_start, COLD_START, int(counts.counted[0]), int(counts.wrong[0]))


class Pool:
    """A category's labels on one verifier's scale, oldest first; bounded. Not thread-safe."""

    def __init__(self, settings: GuaranteeSettings) -> None:
        self._settings = settings
        self.scores: Floats = np.empty(0)
        self.right: Flags = np.empty(0, dtype=np.bool_)
        self.weights: Floats = np.empty(0)
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
            np.array([getattr(label, "weight", 1.0) for label in used], dtype=np.float64),
        )

    def extend(self, scores: Floats, right: Flags, weights: Floats) -> None:
        """Add labels in their order; arrays of shape [labels]."""
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
        found = bounds.excess((old_wrong, new_wrong), (old, new))
        return found > self._settings.alarm


def _counted(places: NDArray[np.intp], size: int) -> Floats:
    return np.bincount(places, minlength=size).astype(np.float64)


def state_of(pool: Pool, policy: CategoryPolicy, settings: GuaranteeSettings) -> CategoryState:
    """Return a category's thresholds for `delta` and for `delta_overload`, the latter no higher."""
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
    # After a drift the shipped threshold is no better than what has just failed.
    serves_at_once = settings.cold_start == "threshold" and not pool.drifts
    cold_start = policy.threshold if serves_at_once else None
    bar = calibrated(pool.scores, pool.right, delta, settings, cold_start, pool.weights)
    if bar.origin != CALIBRATED or len(pool) <= settings.recent:
        return bar
    last = slice(-settings.recent, None)
    recent = tally(pool.scores[last], pool.right[last], pool.weights[last], (bar.threshold or 1.0,))
    if bounds.lower(recent.errors, recent.labels, settings.alpha / 10)[0] <= delta:
        return bar
    return Bar(None, WITHHELD, int(recent.counted[0]), int(recent.wrong[0]))


def false_hit_estimate(pool: Pool, threshold: float) -> tuple[float, float, float]:
    """Return the share of wrong answers at or above a threshold, and its 95 % interval.

    0 with (0, 1) where nothing is known. Complaints count as errors: it errs to the high side.
    """
    labels, errors = known(pool, threshold)
    return (errors / labels if labels else 0.0, *bounds.interval(errors, labels))


def known(pool: Pool, threshold: float) -> tuple[float, float]:
    """Return the weight of labels at or above a threshold, and of the errors among them."""
    counts = tally(pool.scores, pool.right, pool.weights, (threshold,))
    return float(counts.labels[0]), float(counts.errors[0])
