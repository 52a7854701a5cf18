"""The load figures by model, and what an exposition shows of them."""

from __future__ import annotations

import pytest
from cachemw_policies.load import LoadSettings

from cachemw.errors import UpstreamTimeout
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from tests.support.service import Clock


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def load(metrics: Metrics, clock: Clock) -> UpstreamLoad:
    return UpstreamLoad(metrics, clock, LoadSettings(tau_s=10.0))


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.fold()
    return metrics.registry.get_sample_value(f"cachemw_upstream_{name}", labels)


def test_a_call_is_under_way_until_it_is_closed(load: UpstreamLoad, metrics: Metrics) -> None:
    with load.call("m") as call:
        assert load.of("m").in_flight == 1
        assert sample(metrics, "in_flight", model="m") == 1
        call.status = "200"
    assert load.of("m").in_flight == 0
    assert sample(metrics, "requests_total", model="m", status="200") == 1


def test_only_the_first_part_of_a_stream_is_its_first_token(
    load: UpstreamLoad, metrics: Metrics, clock: Clock
) -> None:
    call = load.call("m")
    clock.now += 0.5
    call.first_token()
    clock.now += 5.0
    call.first_token()
    assert load.of("m").ttft_s == 0.5
    assert sample(metrics, "ttft_ema_seconds", model="m") == 0.5
    assert sample(metrics, "queueing_ratio", model="m") == 1.0
    with call:
        pass


@pytest.mark.parametrize(
    ("status", "error"), [("200", 0.0), ("400", 0.0), ("429", 1.0), ("503", 1.0)]
)
def test_what_counts_as_an_error(
    load: UpstreamLoad, metrics: Metrics, status: str, error: float
) -> None:
    with load.call("m") as call:
        call.status = status
    assert sample(metrics, "error_ema", model="m") == error


def test_an_upstreams_failure_does_and_a_client_that_left_does_not(
    load: UpstreamLoad, metrics: Metrics
) -> None:
    with pytest.raises(KeyError), load.call("gone"):
        raise KeyError
    assert load.of("gone").error_at is None
    with pytest.raises(UpstreamTimeout), load.call("m"):
        raise UpstreamTimeout("silent")
    assert load.of("m").error == 1.0
    assert sample(metrics, "requests_total", model="m", status="upstream_timeout") == 1


def test_a_retry_is_a_failed_call(load: UpstreamLoad, metrics: Metrics) -> None:
    load.retried("m", "503")
    assert load.of("m").error == 1.0
    assert sample(metrics, "retries_total", model="m", reason="503") == 1


def test_models_that_clients_make_up_share_one_place(load: UpstreamLoad) -> None:
    for n in range(300):
        with load.call(f"m{n}"):
            pass
    with load.call("one more"):
        assert load.of("another").in_flight == 1
        assert load.of("m1").in_flight == 0


def test_nothing_is_known_of_a_model_that_was_never_called(load: UpstreamLoad) -> None:
    assert (load.of("m").queueing, load.of("m").in_flight) == (1.0, 0)
