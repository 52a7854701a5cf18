"""What came of a run against the service, in the same figures as the simulation's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from cachemw_policies.adaptation import AdaptationSettings, pressure
from cachemw_policies.load import LoadFigures
from numpy.typing import NDArray

from loadtests.overload.compare import OVERLOADED
from loadtests.overload.live_client import TIMED_OUT, Look, Reply, Seen
from loadtests.overload.live_plan import Plan
from loadtests.overload.replay import Outcome
from loadtests.overload.traffic import NOTHING_NEAR
from loadtests.stats import median

Flags = NDArray[np.bool_]
SEMANTIC = "semantic"


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """One run; NaN where a figure does not exist. Shares of arrivals but for `wrong`; seconds.

    `taken` off the upstream and `taken_overloaded` in comparison with the run without adaptation,
    of what that sent. `wrong` are of those served the answer of their own pair, which has a label;
    `unknown` were served that of another question, of which nobody has said whether it fits.
    `level` is the mean over arrivals.
    """

    overloaded: float
    taken: float
    taken_overloaded: float
    served: float
    wrong: float
    unknown: float
    stale: float
    turned_away: float
    timed_out: float
    p50_s: float
    p99_s: float
    level: float


def live_figures(plan: Plan, seen: Seen, without: Seen, ttl: float) -> LiveFigures:
    """Return the figures of a run; `without` is the one of the same turn without adaptation."""
    replies = seen.replies
    hit = np.array([reply.layer == SEMANTIC for reply in replies])
    own = np.array(
        [_own(reply, one.pair) for reply, one in zip(replies, plan.arrivals, strict=True)]
    )
    right = np.array(
        [one.pair != NOTHING_NEAR and bool(plan.asked.same[one.pair]) for one in plan.arrivals]
    )
    status = np.array([reply.status for reply in replies])
    seconds = np.array([reply.seconds for reply in replies])[status == 200]
    overloaded = overload(plan, without.looks)
    before = np.array([reply.layer != SEMANTIC for reply in without.replies])
    p50, p99 = np.percentile(seconds, [50, 99]) if len(seconds) else (np.nan, np.nan)
    return LiveFigures(
        overloaded=float(overloaded.mean()),
        taken=taken(before, ~hit, np.ones_like(hit)),
        taken_overloaded=taken(before, ~hit, overloaded),
        served=float(hit.mean()),
        wrong=float((own & ~right).sum() / own.sum()) if own.any() else np.nan,
        unknown=float((hit & ~own).mean()),
        stale=float(np.mean([h and r.age_s > ttl for h, r in zip(hit, replies, strict=True)])),
        turned_away=float((status == 429).mean()),
        timed_out=float((status == TIMED_OUT).mean()),
        p50_s=float(p50),
        p99_s=float(p99),
        level=float(np.mean([level for _, level in levels(plan, replies)] or [np.nan])),
    )


def simulated(outcome: Outcome, fixed: Outcome) -> LiveFigures:
    """Return the figures of a simulated run."""
    overloaded = fixed.pressure >= OVERLOADED
    p50, p99 = np.percentile(outcome.seconds[~np.isnan(outcome.seconds)], [50, 99])
    return LiveFigures(
        overloaded=float(overloaded.mean()),
        taken=taken(fixed.sent, outcome.sent, np.ones_like(overloaded)),
        taken_overloaded=taken(fixed.sent, outcome.sent, overloaded),
        served=float(outcome.hit.mean()),
        wrong=float(outcome.wrong.sum() / outcome.hit.sum()) if outcome.hit.any() else np.nan,
        unknown=0.0,
        stale=float(outcome.stale.mean()),
        turned_away=float(np.isnan(outcome.seconds).mean()),
        timed_out=0.0,
        p50_s=float(p50),
        p99_s=float(p99),
        level=float(outcome.level.mean()),
    )


def taken(before: Flags, after: Flags, among: Flags) -> float:
    """Return the part of what was sent before that is not sent after, among some arrivals."""
    sent = np.count_nonzero(before & among)
    return 1.0 - np.count_nonzero(after & among) / sent if sent else float("nan")


def overload(plan: Plan, looks: Sequence[Look]) -> Flags:
    """Return which arrivals came while the upstream was overloaded, as the simulation says it.

    By the time to the first token and failed calls, as of the last look before.
    """
    settings = AdaptationSettings()
    known = [
        pressure(LoadFigures(0, max(1.0, look.queueing), 1.0, 0.0, look.error, 0.0), settings, 0.0)
        for look in looks
    ]
    place = np.searchsorted([look.at for look in looks], [one.at for one in plan.arrivals])
    return np.array([0.0, *known])[place] >= OVERLOADED


def levels(plan: Plan, replies: Sequence[Reply]) -> list[tuple[float, float]]:
    """Return when requests came and the level at which they were decided, where it was said."""
    return [
        (one.at, float(reply.decision["load"]))
        for one, reply in zip(plan.arrivals, replies, strict=True)
        if "load" in reply.decision
    ]


def outcomes(replies: Sequence[Reply]) -> Counter[str]:
    """Count what the lookups came to."""
    return Counter(reply.decision.get("outcome", "not said") for reply in replies)


def medians(found: Sequence[LiveFigures]) -> LiveFigures:
    """Return the median of each figure."""
    return LiveFigures(
        **{
            field.name: median([getattr(one, field.name) for one in found])
            for field in fields(LiveFigures)
        }
    )


def _own(reply: Reply, pair: int) -> bool:
    return reply.layer == SEMANTIC and pair != NOTHING_NEAR and reply.stored == pair
