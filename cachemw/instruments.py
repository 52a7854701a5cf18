"""Prometheus' instruments with what they lack for us."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Gauge, Histogram


class BulkHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add observations: how many fell into each bucket (the last is +Inf), and their sum."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


class UpGauge(Gauge):
    """1 until something is known to have failed.

    As in `DependencyState`. Beginning at 0, a worker that has not yet asked a dependency would say
    for all workers that it is down.
    """

    def _metric_init(self) -> None:
        super()._metric_init()
        self._value.set(1.0)
