"""The upstream dies or is not there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.conftest import AUTH, Fleet, ask, chat, free_port, only_if_cached
from tests.support.servers import ServerProcess


def _events(response: httpx.Response) -> Iterator[str]:
    return (line[6:] for line in response.iter_lines() if line.startswith("data: "))


def test_an_upstream_killed_in_the_middle_of_a_stream(fleet: Fleet) -> None:
    upstream = fleet.upstream("--tpot-ms", "30", "--tokens", "200")
    server = fleet.cachemw(fleet.config(upstream.url))
    body = chat("Hello", stream=True)
    url = server.url + "/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=AUTH, timeout=30.0) as response:
        events = _events(response)
        assert json.loads(next(events))["choices"]
        upstream.kill()
        *_, last = events
    assert json.loads(last)["error"]["code"] == "upstream_broken"
    assert only_if_cached(server, "Hello").status_code == 504

    fleet.upstream(port=upstream.port)
    again = ask(server, "Hello")
    assert again.status_code == 200
    assert "stored" in again.headers["cache-status"]
    assert only_if_cached(server, "Hello").json()["choices"] == again.json()["choices"]


def test_an_upstream_killed_in_the_middle_of_a_plain_answer(fleet: Fleet) -> None:
    upstream = fleet.upstream()
    server = fleet.cachemw(fleet.config(upstream.url))
    reply = ask(server, "Hello", "die=mid")
    assert reply.status_code == 502
    assert _openai_error(reply)["code"] in ("upstream_broken", "upstream_unavailable")
    upstream.kill()
    assert ask(server, "Hello again").status_code == 502
    fleet.upstream(port=upstream.port)
    assert ask(server, "Hello again").status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_no_upstream_at_all(fleet: Fleet, stream: bool) -> None:
    server = fleet.cachemw(fleet.config(f"http://127.0.0.1:{free_port()}"))
    started = time.monotonic()
    reply = ask(server, "Hello", stream=stream)
    assert time.monotonic() - started < 10
    assert reply.status_code == 502
    assert _openai_error(reply)["code"] == "upstream_unavailable"
    assert _healthy(server)


def test_an_upstream_that_says_nothing(fleet: Fleet) -> None:
    upstream = fleet.upstream()
    limits = {"name": "fake", "base_url": upstream.url + "/v1", "first_byte_seconds": 0.3}
    server = fleet.cachemw(fleet.config(upstream.url, upstreams=[limits]))
    reply = ask(server, "Hello", "hang")
    assert reply.status_code == 504
    assert _openai_error(reply)["code"] == "upstream_timeout"
    assert _healthy(server)


def _healthy(server: ServerProcess) -> bool:
    """Neither liveness nor readiness depends on the upstream."""
    paths = ("/healthz", "/readyz")
    return all(httpx.get(server.url + path).status_code == 200 for path in paths)


def _openai_error(reply: httpx.Response) -> dict[str, str]:
    error: dict[str, str] = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error
