"""SIGTERM: not ready any more, but every accepted request is finished and stored."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import httpx

from tests.faults.conftest import AUTH, Fleet, chat, only_if_cached
from tests.support.servers import ServerProcess, wait_until


def _ready(server: ServerProcess) -> int:
    return httpx.get(server.url + "/readyz").status_code


def test_a_stream_in_flight_is_finished_and_its_answer_stored(fleet: Fleet) -> None:
    upstream = fleet.upstream("--tpot-ms", "40", "--tokens", "60")
    server = fleet.cachemw(
        fleet.config(upstream.url, server={"drain_seconds": 1.0, "shutdown_seconds": 20.0})
    )
    url = server.url + "/v1/chat/completions"
    body = chat("Hello", stream=True)
    with httpx.stream("POST", url, json=body, headers=AUTH, timeout=30.0) as response:
        lines = response.iter_lines()
        next(lines)
        os.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: _ready(server) == 503, timeout=0.9, what="503 from /readyz")
        assert httpx.get(server.url + "/healthz").status_code == 200
        rest = [line for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert server.wait(30) == 0
    assert "Traceback" not in server.output()
    again = fleet.cachemw(fleet.config(upstream.url))
    assert only_if_cached(again, "Hello").headers["x-cachemw-layer"] == "exact"


def test_a_call_whose_client_has_left_is_finished_and_stored(fleet: Fleet) -> None:
    upstream = fleet.upstream()
    server = fleet.cachemw(fleet.config(upstream.url))
    with suppress(httpx.ReadTimeout):
        httpx.post(
            server.url + "/v1/chat/completions",
            json=chat("Hello", "delay=2"),
            headers=AUTH,
            timeout=0.5,
        )
    assert server.terminate(30) == 0
    again = fleet.cachemw(fleet.config(upstream.url))
    assert only_if_cached(again, "Hello", "delay=2").headers["x-cachemw-layer"] == "exact"


def test_an_idle_server_stops_at_once_and_cleanly(fleet: Fleet) -> None:
    server = fleet.cachemw(fleet.config("http://127.0.0.1:9"))
    assert server.terminate(15) == 0
    assert "Traceback" not in server.output()
