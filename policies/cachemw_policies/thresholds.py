"""The threshold that labels prove (own design on published parts); `guarantee` feeds it.

Thresholds of a fixed grid are tested from high to low, and the lowest that the unbroken sequence
reaches is used (fixed-sequence testing: Learn then Test, arXiv 2110.01052, section 3). Each test
is of 'at least `delta` of what scores here or above is wrong', at the same level: in an unbroken
sequence the first false rejection is that of the first true hypothesis, so the number of tests
costs nothing.

*Peeking.* Labels come one by one and are tested whenever some have come. Clopper-Pearson bounds
hold for one look; over a growing number of labels some look succeeds by luck. The default is a test
martingale (`bounds.against`): the chance that it ever rejects wrongly is bounded. The price for 3 %
of errors at a level of 5 %, with none among the labels: 125 of them instead of 99. `anytime=False`
gives the bounds of one look, for data that is complete, as in `cachemw calibrate`.

*What has been proven stays so* as long as the labels' own average does not speak against it. With
a martingale that is part of the promise, and without it a threshold would go and come with each
error near the boundary.

*Where the sequence starts.* At the top of the grid there are too few labels to prove anything, so
the tests begin further down. Where, depends on the scores alone, never on outcomes; given the
scores, outcomes are still independent and each test keeps its level. To begin at the first point
that could pass without a single error would be valid and useless: that point always has just as
many labels as allow none, and one wrong label would end the sequence for ever. It begins where a
share `starts` of all labels is above, whose power grows with the labels; each start is a
sequence of its own at its share of alpha. The start moves as labels come; where it lies below the
true threshold, the level holds for each of its places, not for all at once.

*Margin.* Proven is not `delta` but `margin` of it: the rest is for errors between a drift and the
moment it is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cachemw_policies import bounds
from cachemw_policies.decision import Bar

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

COLD_START = "cold start"
CALIBRATED = "calibrated"
PROBATION = "probation"
WITHHELD = "withheld"


def _grid() -> tuple[float, ...]:
    """Return 0.999 to 0.5 in even steps of log-odds."""
    odds = np.exp(np.arange(46, -1, -1) * 0.15)
    return tuple(float(round(one / (1 + one), 4)) for one in odds)


@dataclass(frozen=True, slots=True)
class GuaranteeSettings:
    """How thresholds are proven.

    `alpha`: the chance to be wrong about a threshold; `margin`: the part of `delta` that is proven.
    `grid`: thresholds from high to low; labels below its last are of no use and not kept. `starts`:
    shares of the labels, of which each begins a sequence. `cold_start`: until labels suffice, serve
    from the policy's `threshold` on, or nothing (`probation`); `patience`: how many times the
    labels that could prove the cold start's threshold may pass without proof. `window`: labels
    kept. `recent`: labels compared with those before them, `alarm`: the standard deviations that
    are too many. `hot`: errors of late are too many when they are this many times likelier at
    three times `delta` than at `delta`.
    """

    alpha: float = 0.02
    margin: float = 0.9
    grid: tuple[float, ...] = _grid()
    starts: tuple[float, ...] = (0.25, 0.03)
    anytime: bool = True
    cold_start: Literal["threshold", "probation"] = "probation"
    patience: float = 3.0
    window: int = 4000
    recent: int = 200
    alarm: float = 3.0
    hot: float = 10.0
    positive_feedback: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Labels and errors at or above each threshold, weighted, and both as plain numbers."""

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


def calibrated(
    scores: Floats,
    right: Flags,
    delta: float,
    settings: GuaranteeSettings,
    cold_start: float | None,
    weights: Floats | None = None,
    held: float | None = None,
) -> Bar:
    """Return the threshold for `delta`: the proven one, else the cold start's, else none.

    Arrays of shape [labels]; `weights` in [0, 1], all 1 if not given. `cold_start` None: nothing
    unproven is served. `held`: the threshold that was proven before, one of the grid.
    """
    if delta <= 0:
        return Bar(None, WITHHELD)
    if weights is None:
        weights = np.ones(len(scores))
    counts = tally(scores, right, weights, settings.grid)
    limit = delta * settings.margin
    lowest = proven(counts, limit, settings)
    before = None if held is None else settings.grid.index(held)
    if before is not None and counts.errors[before] <= limit * counts.labels[before]:
        lowest = before if lowest is None else max(lowest, before)
    if lowest is not None:
        labels, errors = int(counts.counted[lowest]), int(counts.wrong[lowest])
        return Bar(settings.grid[lowest], CALIBRATED, labels, errors)
    if cold_start is None:
        return Bar(None, PROBATION, len(scores), int(np.count_nonzero(~right)))
    return _unproven(tally(scores, right, weights, (cold_start,)), delta, settings, cold_start)


def _unproven(counts: Tally, delta: float, settings: GuaranteeSettings, cold_start: float) -> Bar:
    """Serve from the cold start's threshold on until labels speak against it, or should for it."""
    labels, errors = int(counts.counted[0]), int(counts.wrong[0])
    refuted = bounds.lower(counts.errors, counts.labels, settings.alpha) > delta
    enough = counts.labels / settings.patience
    overdue = _passes(np.zeros(1), enough, delta, settings.alpha, settings)
    if refuted[0] or overdue[0]:
        return Bar(None, WITHHELD, labels, errors)
    return Bar(cold_start, COLD_START, labels, errors)


def _passes(
    errors: Floats, labels: Floats, delta: float, level: float, settings: GuaranteeSettings
) -> Flags:
    if settings.anytime:
        evidence = bounds.against(errors, labels, delta)
        return np.asarray(evidence >= np.log(1 / level), dtype=np.bool_)
    return np.asarray(bounds.upper(errors, labels, level) <= delta, dtype=np.bool_)
