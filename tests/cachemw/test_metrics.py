"""What a process counts: nothing twice, nothing lost, labels bounded."""

from __future__ import annotations

import pytest

from cachemw.metrics import Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.fold()
    return metrics.registry.get_sample_value(f"cachemw_{name}", labels)


def test_requests_of_one_layer_share_their_durations() -> None:
    metrics = Metrics()
    metrics.answered("chat.completions", "exact", "default", 200, 0.002)
    metrics.answered("responses", "exact", "default", 200, 0.004)
    metrics.first_byte("exact", 0.001)
    labels = {"layer": "exact", "category": "default", "status": "200"}
    for endpoint in ("chat.completions", "responses"):
        assert value(metrics, "requests_total", endpoint=endpoint, **labels) == 1
    assert value(metrics, "request_duration_seconds_count", layer="exact") == 2
    assert value(metrics, "request_duration_seconds_sum", layer="exact") == pytest.approx(0.006)
    assert value(metrics, "request_duration_seconds_bucket", layer="exact", le="0.0025") == 1
    assert value(metrics, "time_to_first_token_seconds_count", layer="exact") == 1


def test_nothing_is_counted_twice_however_often_it_is_shown() -> None:
    metrics = Metrics()
    metrics.saved_seconds.inc(2.0)
    for _ in range(3):
        metrics.fold()
        text = metrics.expose()[0].decode()
    assert "\ncachemw_saved_seconds_total 2.0\n" in text


def test_an_upstream_call_is_counted_by_its_end() -> None:
    metrics = Metrics(monotonic=iter((1.0, 3.0, 5.0, 5.5)).__next__)
    with metrics.upstream_call("m") as note:
        assert value(metrics, "upstream_in_flight", model="m") == 1
        note("200")
    with pytest.raises(OSError, match="gone"), metrics.upstream_call("m"):
        raise OSError("gone")
    assert value(metrics, "upstream_in_flight", model="m") == 0
    assert value(metrics, "upstream_requests_total", model="m", status="200") == 1
    assert value(metrics, "upstream_requests_total", model="m", status="error") == 1
    assert value(metrics, "upstream_duration_seconds_sum", model="m") == 2.5


def test_evictions_are_those_of_the_source_also_when_it_is_replaced() -> None:
    metrics = Metrics()
    first, second = [0], [0]
    metrics.count_evictions("index", lambda: first[0])
    assert value(metrics, "evictions_total", category="default", reason="index") is None
    first[0] = 3
    metrics.count_evictions("index", lambda: second[0])
    second[0] = 2
    assert value(metrics, "evictions_total", category="default", reason="index") == 5


def test_the_bytes_of_the_store_are_among_the_other_bytes() -> None:
    metrics = Metrics()
    metrics.bytes.labels("memory").set(7)
    metrics.store_bytes.set(9)
    text = metrics.expose()[0].decode()
    assert 'cachemw_bytes{tier="memory"} 7.0\ncachemw_bytes{tier="store"} 9.0\n' in text
    assert "shared_bytes" not in text


def test_what_is_not_known_to_have_failed_is_up() -> None:
    metrics = Metrics()
    metrics.dependency_up.labels("x")
    assert value(metrics, "dependency_up", dependency="x") == 1
    assert value(metrics, "store_up") == 1
