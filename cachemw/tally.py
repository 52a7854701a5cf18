"""Counting in plain numbers, folded into Prometheus' objects now and then (own design).

A Prometheus counter takes a lock for each increment, a histogram a search and two locks for each
observation, and between processes each of them writes to mapped memory: an eighth of an exact hit.
A tally adds to numbers of its own. Folding moves all of it, so nothing is lost or counted twice.

Not thread-safe: tallies are used and folded in the thread of the event loop.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

from prometheus_client import Counter

from cachemw.instruments import BulkHistogram


class Foldable(Protocol):
    """What holds figures that Prometheus has not seen yet."""

    def fold(self) -> None:
        """Move them there."""


class Tally:
    """Increments of one counter."""

    __slots__ = ("_counter", "_waiting")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._waiting = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count."""
        self._waiting += amount

    def fold(self) -> None:
        """Move what was counted to the counter."""
        if self._waiting:
            self._counter.inc(self._waiting)
            self._waiting = 0.0


class Distribution:
    """Observations of one histogram whose upper bounds, without +Inf, are `bounds`."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_total")

    def __init__(self, histogram: BulkHistogram, bounds: Sequence[float]) -> None:
        self._histogram = histogram
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Note one observation; like Prometheus', a bucket includes its upper bound."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def fold(self) -> None:
        """Move what was observed to the histogram."""
        if any(self._counts):
            self._histogram.add(self._counts, self._total)
            self._counts = [0] * len(self._counts)
            self._total = 0.0


class Followed:
    """A number that something else counts up from 0; `count` is told how much was added."""

    __slots__ = ("_count", "_read", "_seen")

    def __init__(self, read: Callable[[], float], count: Callable[[float], None]) -> None:
        self._read = read
        self._count = count
        self._seen = 0.0

    def fold(self) -> None:
        """Count what was added since the last time."""
        now = self._read()
        if now > self._seen:
            self._count(now - self._seen)
            self._seen = now


class Timing:
    """Observes how long the block under it takes, in seconds."""

    __slots__ = ("_distribution", "_monotonic", "_started")

    def __init__(self, distribution: Distribution, monotonic: Callable[[], float]) -> None:
        self._distribution = distribution
        self._monotonic = monotonic
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = self._monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._distribution.observe(self._monotonic() - self._started)
