"""From the configuration of an upstream to the parts that serve it: `app.py`'s hand for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from random import Random, SystemRandom

from cachemw_policies.breaker import BreakerPolicy
from cachemw_policies.retry import RetryRules

from cachemw.config import UpstreamConfig, api_key
from cachemw.load import UpstreamLoad
from cachemw.local.launch import model_process
from cachemw.local.running import RunningModel
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.upstreams.base import Upstream
from cachemw.upstreams.health import UpstreamHealth
from cachemw.upstreams.local import LocalUpstream
from cachemw.upstreams.openai import Limits, OpenAIUpstream
from cachemw.upstreams.retrying import Chance, RetryingUpstream
from cachemw.upstreams.router import Backend, Fallback, Price


def backend(
    config: UpstreamConfig,
    env: Mapping[str, str],
    metrics: Metrics,
    load: UpstreamLoad,
    model: Path | None = None,
) -> Backend:
    """Return the backend. Raises ConfigError where its key is not there.

    `model` is the socket of a local upstream's model where another process runs it.
    """
    health = _health(config, metrics)
    return Backend(
        upstream=RetryingUpstream(
            _upstream(config, env, health, model),
            health,
            _rules(config),
            Chance(Random(SystemRandom().random()), time.time),
            load.retried,
            first_byte_seconds=config.first_byte_seconds,
        ),
        models=tuple(config.models),
        aliases=config.aliases,
        default_model=config.default_model,
        only_model=None if config.local is None else config.default_model or config.name,
        ask_usage=config.ask_usage,
        prices={m: Price(p.prompt, p.completion) for m, p in config.prices.items()},
        fallbacks=tuple(Fallback(f.upstream, f.model) for f in config.fallbacks),
    )


def _rules(config: UpstreamConfig) -> RetryRules:
    # A local model is waited for while it is not ready, and a call that has killed its process
    # should not do so again.
    retries = config.retries if config.local is None else 0
    return RetryRules(retries, config.retry_base_seconds, config.retry_max_seconds)


def _health(config: UpstreamConfig, metrics: Metrics) -> UpstreamHealth:
    dependency_up = metrics.dependency_up.labels(f"upstream:{config.name}")
    breaker_open = metrics.upstream_breaker_open.labels(config.name)

    def on_change(up: bool) -> None:
        dependency_up.set(up)
        breaker_open.set(not up)

    state = DependencyState(f"upstream:{config.name}", on_change)
    policy = BreakerPolicy(config.breaker_failures, config.breaker_seconds)
    return UpstreamHealth(config.name, policy, state, time.monotonic)


def _upstream(
    config: UpstreamConfig, env: Mapping[str, str], health: UpstreamHealth, model: Path | None
) -> Upstream:
    limits = Limits(
        connect=config.connect_seconds,
        first_byte=config.first_byte_seconds,
        total=config.total_seconds,
        connections=config.connections,
    )
    if config.base_url is not None:
        key = api_key(config, env)
        return OpenAIUpstream(
            config.name, config.base_url, api_key=key, limits=limits, health=health
        )
    process = model_process(config) if model is None else RunningModel(config.name, model)
    uds = str(process.socket_path)
    http = OpenAIUpstream(config.name, "http://local/v1", limits=limits, health=health, uds=uds)
    return LocalUpstream(process, http, ready_seconds=config.first_byte_seconds)
