"""Reading a rate-distortion curve: what size a codec needs for a given quality.

Points are (bits a value, loss). Between measured points size is interpolated linearly in its
logarithm; nothing is ever read beyond the ends.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """One measured level."""

    bits: float
    loss: float


def frontier(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats in both, the largest first: loss rises."""
    kept: list[Point] = []
    least = math.inf
    # From the smallest: a larger one is of use only where it loses less than all before it.
    for point in sorted(points, key=lambda p: (p.bits, p.loss)):
        if not kept or point.loss < least:
            kept.append(point)
            least = point.loss
    return kept[::-1]


def steady(points: Sequence[Point]) -> list[Point]:
    """Return the points, largest first, each with the worst loss up to there.

    A loss that falls where more is thrown away is noise, and must not count for a codec.
    """
    ordered = sorted(points, key=lambda p: -p.bits)
    worst = itertools.accumulate((p.loss for p in ordered), max)
    return [Point(p.bits, loss) for p, loss in zip(ordered, worst, strict=True)]


def measured(points: Sequence[Point], limit: float) -> float | None:
    """Return the least bits of a measured point with at most that loss, if there is one."""
    return min((p.bits for p in points if p.loss <= limit), default=None)


def interpolated(points: Sequence[Point], limit: float) -> float | None:
    """Return the bits at which the frontier crosses `limit`; at its ends the measured point."""
    fine = measured(points, limit)
    if fine is None:
        return None
    curve = frontier(points)
    last = max(i for i, p in enumerate(curve) if p.loss <= limit)
    if last + 1 == len(curve):
        return curve[last].bits
    here, there = curve[last], curve[last + 1]
    share = (limit - here.loss) / (there.loss - here.loss)
    return math.exp((1 - share) * math.log(here.bits) + share * math.log(there.bits))


def ratios(ours: Sequence[Point], theirs: Sequence[Point]) -> list[float]:
    """Return our bits / their bits at each of their points' loss.

    Ours are interpolated linearly between logarithms of size and of loss. A point of theirs that
    is finer than our finest is passed over: there is nothing to compare it with.
    """
    curve = [Point(p.bits, math.log(max(p.loss, 1e-12))) for p in ours]
    read = (interpolated(curve, math.log(max(p.loss, 1e-12))) for p in theirs)
    return [bits / p.bits for bits, p in zip(read, theirs, strict=True) if bits is not None]
