"""Tallies against Prometheus' own counting."""

from __future__ import annotations

from random import Random

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from cachemw.instruments import BulkHistogram
from cachemw.tally import Distribution, Followed, Tally, Timing

BOUNDS = (0.5, 1.0, 2.0)


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_a_distribution_counts_as_prometheus_does_however_often_it_is_folded() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    distribution = Distribution(BulkHistogram("h", "", buckets=BOUNDS, registry=ours), BOUNDS)
    histogram = Histogram("h", "", buckets=BOUNDS, registry=theirs)
    random = Random(1)
    values = [*BOUNDS, 0.0, 2.0000001, 1e9, *(4 * random.random() for _ in range(1000))]
    for number, value in enumerate(values):
        distribution.observe(value)
        histogram.observe(value)
        if number % 7 == 0:
            distribution.fold()
    distribution.fold()
    distribution.fold()
    assert samples(ours) == pytest.approx(samples(theirs))


def test_a_tally_moves_what_it_counted_once() -> None:
    registry = CollectorRegistry()
    tally = Tally(Counter("c", "", registry=registry))
    tally.inc()
    tally.inc(2.5)
    assert registry.get_sample_value("c_total") == 0
    tally.fold()
    tally.fold()
    assert registry.get_sample_value("c_total") == 3.5
    tally.inc()
    tally.fold()
    assert registry.get_sample_value("c_total") == 4.5


def test_what_is_followed_is_told_by_how_much_it_grew() -> None:
    total = [0.0]
    told: list[float] = []
    followed = Followed(lambda: total[0], told.append)
    followed.fold()
    for now in (3.0, 3.0, 5.0):
        total[0] = now
        followed.fold()
    assert told == [3.0, 2.0]


def test_a_block_is_timed_also_when_it_fails() -> None:
    registry = CollectorRegistry()
    distribution = Distribution(BulkHistogram("h", "", buckets=BOUNDS, registry=registry), BOUNDS)
    clock = iter((1.0, 1.75, 10.0, 13.0))
    with Timing(distribution, lambda: next(clock)):
        pass
    with pytest.raises(KeyError), Timing(distribution, lambda: next(clock)):
        raise KeyError
    distribution.fold()
    found = samples(registry)
    assert found["h_sum", ""] == 3.75
    assert [found["h_bucket", le] for le in ("0.5", "1.0", "2.0", "+Inf")] == [0, 1, 1, 2]
