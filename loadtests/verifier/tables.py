"""The report's tables: pure functions of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loadtests.report import Section
from loadtests.verifier.heldout import PARTS, HeldOut, Values
from loadtests.verifier.metric import (
    LIMITS,
    drawn,
    drawn_wrong,
    interval,
    served,
    weight_of_others,
    wrong_share,
)

BASE = 0.68
"""The share of duplicates at which plain cosine does what an independent cut of the data gives."""
BASES = (None, BASE)
BANDS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 1.0)
_LIMITS = tuple(f"<= {limit:.0%} wrong" for limit in LIMITS)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to score pairs; `scores` are of all held-out pairs."""

    name: str
    scores: Values


@dataclass(frozen=True, slots=True)
class Ablation:
    """Runs of training that differ in one thing, and what came of it."""

    what: str
    runs: tuple[Values, ...]
    verdict: str


def at_base(base: float | None, held: HeldOut) -> str:
    """Return how the pairs are weighed, in words."""
    if base is None:
        return f"as the data is ({held.same.mean():.0%} duplicates)"
    return f"weighed to {base:.0%} duplicates"


def part_of(held: HeldOut, part: str) -> NDArray[np.bool_]:
    """Return which pairs are of a part."""
    mine: NDArray[np.bool_] = held.part == part
    return mine


def within_limits(
    held: HeldOut, methods: Sequence[Method], part: str, base: float | None, rounds: int
) -> Section:
    """Return what each method serves within each limit."""
    mine = part_of(held, part)
    same, cluster = held.same[mine], _numbered(held.cluster[mine])
    other = weight_of_others(same, base)
    rows = []
    for method in methods:
        scores = method.scores[mine]
        draws = drawn(scores, same, cluster, _rng(), base, rounds)
        points = served(scores, same, other)
        cells = (_cell(point.share, draws[:, k]) for k, point in enumerate(points))
        rows.append((method.name, *cells))
    about = (
        f"{len(same)} pairs, {int(same.sum())} of them duplicates. The share of duplicates served "
        "at the lowest threshold within the limit; in brackets 95 % intervals by clusters."
    )
    title = f"{'Held out' if part == PARTS[1] else 'Tuned on'}: {at_base(base, held)}"
    return Section(title, about, ("", *_LIMITS), rows)


def gains(
    held: HeldOut, method: Method, others: Sequence[Method], base: float | None, rounds: int
) -> Section:
    """Return how much more one method serves than others on the test part, pair by pair."""
    mine = part_of(held, PARTS[1])
    same, cluster = held.same[mine], _numbered(held.cluster[mine])
    weight = weight_of_others(same, base)

    def measured(one: Method) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        shares = np.array([p.share for p in served(one.scores[mine], same, weight)])
        # The same draws for every method: their differences are by pairs.
        return shares, drawn(one.scores[mine], same, cluster, _rng(), base, rounds)

    share, draws = measured(method)
    rows = []
    for other in others:
        less, less_draws = measured(other)
        more, spread = 100 * (share - less), 100 * (draws - less_draws)
        bounds = [interval(spread[:, k]) for k in range(len(LIMITS))]
        cells = (f"{m:+.1f} ({a:+.1f} to {b:+.1f})" for m, (a, b) in zip(more, bounds, strict=True))
        rows.append((f"than {other.name}", *cells))
    about = (
        "Percentage points of duplicates that the verifier serves more, with 95 % intervals of the "
        "difference."
    )
    return Section(f"How much more, held out: {at_base(base, held)}", about, ("", *_LIMITS), rows)


def cold_start(
    held: HeldOut, methods: Sequence[Method], base: float | None, rounds: int
) -> Section:
    """Return thresholds of the calibration part, and what they do on the test part."""
    first, second = (part_of(held, part) for part in PARTS)
    there = weight_of_others(held.same[second], base)
    cluster = _numbered(held.cluster[second])
    rows = []
    for method in methods:
        here = method.scores[first], held.same[first], weight_of_others(held.same[first], base)
        for point in served(*here):
            if point.threshold is None:
                rows.append((method.name, f"{point.limit:.0%}", "none", "", "", ""))
                continue
            # Down: what is rounded up would not serve the pair that set it.
            threshold = float(np.floor(point.threshold * 1e4) / 1e4)
            scores, same = method.scores[second], held.same[second]
            caught = scores >= threshold
            wrong = wrong_share(scores, same, threshold, there)
            draws = drawn_wrong(caught, same, cluster, _rng(), base, rounds)
            rows.append(
                (
                    method.name,
                    f"{point.limit:.0%}",
                    f"{threshold:.4f}",
                    f"{point.share:.1%}",
                    f"{(caught & same).sum() / same.sum():.1%}",
                    _cell(wrong, draws),
                )
            )
    about = (
        "The lowest threshold within the limit on the calibration part, and what it does on the "
        "test part, which it was not chosen on."
    )
    head = ("", "wrong at most", "threshold", "serves, here", "serves, held out", "wrong there")
    return Section(f"Cold start: {at_base(base, held)}", about, head, rows)


def reliability(held: HeldOut, scores: Values) -> Section:
    """Return, for bands of the score, the share of pairs that are duplicates."""
    mine = part_of(held, PARTS[1])
    same, mine_scores = held.same[mine], scores[mine]
    others = weight_of_others(same, BASE)
    rows = []
    for low, high in pairwise(BANDS):
        inside = (mine_scores >= low) & ((mine_scores < high) | (high == 1.0))
        count, right = int(inside.sum()), int((inside & same).sum())
        if not count:
            rows.append((f"{low:.2f}–{high:.2f}", "0", "", "", ""))
            continue
        weighed = right / (right + others * (count - right))
        mean = f"{mine_scores[inside].mean():.1%}"
        rows.append(
            (f"{low:.2f}–{high:.2f}", str(count), mean, f"{right / count:.1%}", f"{weighed:.1%}")
        )
    about = (
        "The verifier on the test part. A score is a probability at the base rate that it was "
        "fitted at; where duplicates are more frequent, it is too low."
    )
    head = ("score", "pairs", "mean score", "duplicates", f"weighed to {BASE:.0%}")
    return Section("Reliability", about, head, rows)


def ablations(held: HeldOut, measured: Sequence[Ablation]) -> Section:
    """Return what single runs serve on the calibration part; the mean where there are several."""
    mine = part_of(held, PARTS[0])
    same = held.same[mine]
    rows = []
    for one in measured:
        cells = []
        for base in BASES:
            other = weight_of_others(same, base)
            found = [[p.share for p in served(run[mine], same, other)] for run in one.runs]
            mean = np.mean(found, axis=0)
            cells.append(" / ".join(f"{share:.1%}" for share in mean))
        rows.append((one.what, str(len(one.runs)), *cells, one.verdict))
    about = (
        "Of the cross-encoder alone, as the training machine scored it, on the calibration part: "
        "the share of duplicates served at <= 5 / 3 / 1 % wrong, the mean over runs. One run "
        "differs from the next of the same recipe by several points."
    )
    head = ("", "runs", *(at_base(base, held) for base in BASES), "")
    return Section("What was tried in training", about, head, rows)


def top_others(
    held: HeldOut, scores: Values, count: int, part: str = PARTS[0]
) -> list[tuple[str, str]]:
    """Return the pairs that are called no duplicates and have the highest scores."""
    order = np.argsort(-scores, kind="stable")
    wrong = [place for place in order if not held.same[place] and held.part[place] == part]
    return [(held.pairs[place].stored, held.pairs[place].asked) for place in wrong[:count]]


def times(measured: Mapping[str, tuple[float, float]]) -> Section:
    """Return how long things take: by the clock, and of the processor, in milliseconds."""
    about = (
        "Medians in one process with one thread of inference, pairs of the test part in their "
        "order. Others used the machine too (its load is above), so the time by the clock is too "
        "long, and the processor's somewhat."
    )
    rows = [(name, f"{wall:.3f}", f"{cpu:.3f}") for name, (wall, cpu) in measured.items()]
    return Section("Time", about, ("", "ms by the clock", "ms of the processor"), rows)


def _rng() -> np.random.Generator:
    """Return the generator that draws the same clusters for every method."""
    return np.random.default_rng(7)


def _cell(share: float, draws: NDArray[np.float64]) -> str:
    low, high = interval(draws)
    return f"{share:.1%} ({low:.1%}–{high:.1%})"


def _numbered(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.unique(clusters, return_inverse=True)[1]
    return numbers
