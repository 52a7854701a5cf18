"""From configuration to backends: what is wrong in it stops the start, and states are told."""

from __future__ import annotations

from typing import Any

import pytest
from cachemw_policies.load import LoadSettings

from cachemw.config import load_config
from cachemw.errors import ConfigError, UpstreamOpen, UpstreamUnavailable
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from cachemw.upstreams.base import UpstreamRequest
from cachemw.upstreams.build import backend
from cachemw.upstreams.router import Backend, Fallback, Router
from tests.cachemw.upstreams.conftest import Clock
from tests.support.servers import free_port


def backends(metrics: Metrics, *upstreams: dict[str, Any]) -> list[Backend]:
    config = load_config({"upstreams": list(upstreams)}, env={"HOME": "/nowhere"})
    load = UpstreamLoad(metrics, Clock(), LoadSettings())
    return [backend(upstream, {}, metrics, load) for upstream in config.upstreams]


def upstream(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "base_url": f"http://127.0.0.1:{free_port()}/v1", **more}


async def test_fallbacks_are_joined_to_their_backends() -> None:
    first, second = upstream("a", fallbacks=[{"upstream": "b", "model": "small"}]), upstream("b")
    made = backends(Metrics(), first, second)
    assert made[0].fallbacks == (Fallback("b", "small"),)
    router = Router(made)
    assert [r.model for r in router.fallbacks(router.route("large"))] == ["small"]


@pytest.mark.parametrize("name", ["a", "bb"])
async def test_a_fallback_that_leads_nowhere_stops_the_start(name: str) -> None:
    first = upstream("a", fallbacks=[{"upstream": name}])
    with pytest.raises(ConfigError, match=r"upstreams\.a\.fallbacks"):
        Router(backends(Metrics(), first, upstream("b")))


async def test_an_origin_is_scheme_host_and_port() -> None:
    here = {"base_url": "https://API.example.com/v1"}
    made = backends(Metrics(), upstream("a") | here, upstream("b") | here, upstream("c"))
    origins = [one.upstream.origin for one in made]
    assert origins[0] == origins[1] == "https://api.example.com"
    assert origins[2] != origins[0]


async def test_limits_retries_and_breaker_are_as_configured() -> None:
    metrics = Metrics()
    settings = {"retries": 1, "retry_base_seconds": 1e-6, "breaker_failures": 2}
    (made,) = backends(metrics, upstream("a", total_seconds=50.0, **settings))
    assert made.upstream.total_seconds == 50.0
    call = UpstreamRequest("POST", "/v1/chat/completions", b"", [], b"{}", model="m")
    with pytest.raises(UpstreamUnavailable) as caught:
        await made.upstream.send(call)
    assert caught.value.retried
    with pytest.raises(UpstreamOpen):
        await made.upstream.send(call)
    metrics.fold()
    samples = {
        ("upstream_breaker_open", "upstream", "a"): 1.0,
        ("dependency_up", "dependency", "upstream:a"): 0.0,
    }
    for (name, label, value), expected in samples.items():
        got = metrics.registry.get_sample_value(f"cachemw_{name}", {label: value})
        assert got == expected
    retries = {"model": "m", "reason": "upstream_unavailable"}
    assert metrics.registry.get_sample_value("cachemw_upstream_retries_total", retries) == 1.0
    await made.upstream.aclose()
