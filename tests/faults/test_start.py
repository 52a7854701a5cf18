"""What cannot work is said at the start, by name."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Fleet, free_port

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("cach: {}", "cach"),
        ("cache: {ttl_second: 5}", "cache.ttl_second"),
        ("cache: {ttl_seconds: -1}", "cache.ttl_seconds"),
        ("server: {port: many}", "server.port"),
        ("upstreams: [{name: x}]", "upstreams.0"),
        ("upstreams: []", "upstreams"),
        ("mode: [", "YAML"),
    ],
)
def test_a_configuration_that_cannot_be_used(
    run_cachemw: Run, tmp_path: Path, text: str, named: str
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    done = run_cachemw("serve", "--config", str(config))
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration(run_cachemw: Run, tmp_path: Path) -> None:
    done = run_cachemw("serve", "--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert "none.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_a_port_that_is_none(run_cachemw: Run, fleet: Fleet, port: str) -> None:
    config = fleet.config("http://127.0.0.1:9")
    done = run_cachemw("serve", "--config", str(config), "--port", port)
    assert done.returncode == 2
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use(run_cachemw: Run, fleet: Fleet) -> None:
    config = fleet.config("http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_cachemw("serve", "--config", str(config), "--port", str(port))
    assert done.returncode not in (0, 2)
    assert "address already in use" in done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_opened_is_named(run_cachemw: Run, fleet: Fleet) -> None:
    blocked = fleet.directory / "file"
    blocked.write_text("in the way")
    path = str(blocked / "answers.sqlite3")
    config = fleet.config("http://127.0.0.1:9", store={"path": path})
    done = run_cachemw("serve", "--config", str(config), "--port", str(free_port()))
    assert done.returncode not in (0, None)
    assert path in done.stderr
