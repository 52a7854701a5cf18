from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from cachemw.instruments import BulkHistogram, UpGauge


def test_many_observations_at_once() -> None:
    registry = CollectorRegistry()
    histogram = BulkHistogram("h", "", ["of"], buckets=(1.0, 2.0), registry=registry)
    histogram.labels("x").observe(0.5)
    histogram.labels("x").add([1, 2, 3], 20.0)
    buckets = [
        registry.get_sample_value("h_bucket", {"of": "x", "le": le})
        for le in ("1.0", "2.0", "+Inf")
    ]
    assert buckets == [2, 4, 7]
    assert registry.get_sample_value("h_sum", {"of": "x"}) == 20.5


def test_counts_of_other_buckets_are_refused() -> None:
    histogram = BulkHistogram("h", "", buckets=(1.0, 2.0), registry=CollectorRegistry())
    with pytest.raises(ValueError, match="shorter"):
        histogram.add([1, 2], 3.0)


def test_up_until_it_is_known_to_be_down() -> None:
    registry = CollectorRegistry()
    gauge = UpGauge("up", "", ["of"], registry=registry, multiprocess_mode="livemin")
    gauge.labels("x")
    assert registry.get_sample_value("up", {"of": "x"}) == 1
    gauge.labels("x").set(False)
    assert registry.get_sample_value("up", {"of": "x"}) == 0
