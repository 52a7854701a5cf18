from __future__ import annotations

import socket

import pytest

from cachemw.config import load_config
from cachemw.workers.run import run_workers
from cachemw.workers.supervisor import EXIT_NO_START


def test_a_port_in_use_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        upstream = {"name": "x", "base_url": "http://127.0.0.1:9/v1"}
        config = load_config({"upstreams": [upstream], "server": {"port": port, "workers": 2}}, {})
        assert run_workers(config, {}) == EXIT_NO_START
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in caplog.messages
