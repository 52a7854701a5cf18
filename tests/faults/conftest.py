"""Real processes: cachemw in front of a fake upstream, both of which can be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.redis_server import RedisServer, need_redis
from tests.support.servers import ServerProcess, free_port, start_process, wait_until

ROOT = Path(__file__).resolve().parents[2]
AUTH = {"authorization": "Bearer sk-alice"}
TOKEN = "admin-token-for-tests"
ADMIN = {"authorization": f"Bearer {TOKEN}"}


@dataclass
class Fleet:
    """Starts processes that end with the test."""

    stack: ExitStack
    directory: Path
    models: Path

    def upstream(self, *options: str, port: int | None = None) -> ServerProcess:
        """Start a fake upstream, on a given port if it replaces one."""
        args = ["-m", "loadtests.fake_upstream", "--port", "{port}", *options]
        return self.stack.enter_context(start_process(args, port=port))

    def config(self, upstream_url: str, **sections: Any) -> Path:
        """Write a configuration."""
        upstream = {"name": "fake", "base_url": upstream_url + "/v1", "connect_seconds": 1.0}
        settings = {
            "mode": "exact",
            "cache_dir": str(self.models),
            "upstreams": [upstream],
            "store": {
                "path": str(self.directory / "answers.sqlite3"),
                "put_seconds": 5.0,
                "get_seconds": 1.0,
            },
            "cache": {"commit_wait_seconds": 5.0},
            "semantic": {"verify_seconds": 5.0},
            # The fake answers at once, so that no category would earn its lookups.
            "accounting": {"probes": 1.0},
            "server": {"drain_seconds": 0.5, "shutdown_seconds": 20.0},
        }
        path = self.directory / "cachemw.yaml"
        path.write_text(yaml.safe_dump(settings | sections))
        return path

    def cachemw(self, config: Path, *, ready: str = "/readyz") -> ServerProcess:
        """Start cachemw and wait until it is ready."""
        args = ["-m", "cachemw", "serve", "--config", str(config), "--port", "{port}"]
        return self.stack.enter_context(start_process(args, ready=ready, timeout=90.0))


@pytest.fixture(scope="session")
def models(embedder_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache directory with the models prepared: that takes half a minute, once for all."""
    directory = tmp_path_factory.mktemp("models")
    for prepared in embedder_cache.iterdir():
        # Each store has an index of its own.
        if prepared.is_dir() and prepared.name != "index":
            (directory / prepared.name).symlink_to(prepared)
    return directory


@pytest.fixture
def fleet(tmp_path: Path, models: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack, tmp_path, models)


@pytest.fixture
def redis_store() -> Iterator[dict[str, Any]]:
    """Return the configuration of a store in a Redis of the test's own."""
    need_redis()
    with RedisServer() as server:
        yield {"kind": "redis", "url": server.url, "put_seconds": 5.0, "get_seconds": 1.0}


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return the configuration of a store that several processes share."""
    if request.param == "sqlite":
        return {"path": str(tmp_path / "a.sqlite3"), "put_seconds": 5.0, "get_seconds": 1.0}
    settings: dict[str, Any] = request.getfixturevalue("redis_store")
    return settings


@pytest.fixture
def replicas(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[ServerProcess]]:
    """Return a starter of processes on the same store, in front of the same upstream."""
    monkeypatch.setenv("TEST_ADMIN_TOKEN", TOKEN)

    def start(
        upstream: ServerProcess, store: dict[str, Any], count: int = 2, **sections: Any
    ) -> list[ServerProcess]:
        settings = {
            "mode": "semantic",
            "store": store,
            "admin": {"token_env": "TEST_ADMIN_TOKEN"},
            **sections,
        }
        config = fleet.config(upstream.url, **settings)
        return [fleet.cachemw(config) for _ in range(count)]

    return start


@pytest.fixture
def run_cachemw() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `cachemw ARGS` to its end."""

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cachemw", *args],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def chat(text: str, directives: str = "", **more: Any) -> dict[str, Any]:
    """Return the body of a chat request; `directives` are for the fake upstream."""
    body = {"model": "fake-large", "messages": [{"role": "user", "content": text}], **more}
    return body | ({"x_fake": directives} if directives else {})


def ask(server: ServerProcess, text: str, directives: str = "", **more: Any) -> httpx.Response:
    """Ask for a completion."""
    body = chat(text, directives, **more)
    url = server.url + "/v1/chat/completions"
    return httpx.post(url, json=body, headers=AUTH, timeout=30.0)


def only_if_cached(server: ServerProcess, text: str, directives: str = "") -> httpx.Response:
    """Ask for a stored completion."""
    return httpx.post(
        server.url + "/v1/chat/completions",
        json=chat(text, directives),
        headers=AUTH | {"cache-control": "only-if-cached"},
        timeout=30.0,
    )


__all__ = ["ADMIN", "AUTH", "Fleet", "ask", "chat", "free_port", "only_if_cached", "wait_until"]
