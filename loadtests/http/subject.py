"""cachemw as it is started to be measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from loadtests.http import redis
from loadtests.http.servers import Server, free_port, python, serving

Section = dict[str, Any]


def sqlite_section(path: Path) -> Section:
    """Return the configuration of a store in a file."""
    return {"kind": "sqlite", "path": str(path)}


def redis_section(server: Server, namespace: str) -> Section:
    """Return the configuration of a store in Redis, apart from others there by its namespace."""
    return {"kind": "redis", "url": redis.url(server), "namespace": namespace}


def upstream_section(upstream: Server) -> Section:
    """Return the configuration of the fake upstream."""
    return {"name": "fake", "base_url": f"http://127.0.0.1:{upstream.port}/v1"}


@contextmanager
def cachemw(
    config: Mapping[str, Any],
    folder: Path,
    name: str,
    on: frozenset[int],
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run cachemw with a configuration, on a port of its own, until the end of the block."""
    port = free_port()
    whole = {**config, "server": {**config.get("server", {}), "port": port}}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(whole), "utf-8")
    command = python("-m", "cachemw", "serve", "--config", str(path))
    with serving(command, port, on, ready="/readyz", env=env or {}) as server:
        yield server
