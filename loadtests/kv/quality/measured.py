"""Results with their intervals, as tables and plots read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.kv.quality.frontier import Point, frontier
from loadtests.kv.quality.intervals import Interval, loss_percent, mean
from loadtests.kv.quality.results import ProbeResult, Reference, Result

BF16_BITS = 16


@dataclass(frozen=True, slots=True)
class Measured:
    """One point. `loss`: rise in perplexity in per cent; `kl`: nats a token."""

    result: Result
    loss: Interval
    kl: Interval

    @property
    def bits(self) -> float:
        """Bits a value."""
        return self.result.bits

    @property
    def by_loss(self) -> Point:
        """For reading a curve of losses."""
        return Point(self.bits, self.loss.value)

    @property
    def by_kl(self) -> Point:
        """For reading a curve of divergences."""
        return Point(self.bits, self.kl.value)


def best(curve: Sequence[Measured]) -> list[Measured]:
    """Return the levels worth choosing, by KL, the largest first.

    KL tells levels apart that differences of perplexity, with their noise, do not: to choose by
    those would be to choose the luckiest.
    """
    kept = set(frontier([m.by_kl for m in curve]))
    return sorted((m for m in curve if m.by_kl in kept), key=lambda m: -m.bits)


@dataclass(frozen=True, slots=True)
class Probed:
    """One point of a task: the score, and its difference to the uncompressed score."""

    result: ProbeResult
    score: Interval
    change: Interval


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was measured of one model, in the order of the codecs."""

    model: str
    about: str
    reference: Reference
    curves: dict[str, list[Measured]]
    longer: Sequence[Measured]
    parts: Sequence[Measured]
    probes: dict[str, list[Probed]]

    def bits_of(self, codec: str) -> float | None:
        """Bits of a codec's finest level; None where it was not measured."""
        points = self.curves.get(codec)
        return points[0].bits if points else None


def measured(result: Result, rng: np.random.Generator) -> Measured:
    """Put intervals to a result."""
    return Measured(result, loss_percent(result.nll, rng), mean(result.kl, rng))


def probed(result: ProbeResult, uncompressed: ProbeResult, rng: np.random.Generator) -> Probed:
    """Put intervals to a task's result; the difference is paired by probe."""
    change = np.subtract(result.scores, uncompressed.scores)
    return Probed(result, mean(result.scores, rng), mean(list(change), rng))
