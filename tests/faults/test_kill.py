"""`kill -9`: what a reply called stored is there afterwards, whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import httpx

from tests.faults.conftest import AUTH, Fleet, ask, chat, only_if_cached
from tests.support.servers import ServerProcess, wait_until

ROUNDS = 3
CLIENTS = 8


class Load:
    """Clients that ask new questions until the server dies, and note what was acknowledged."""

    def __init__(self, url: str, numbers: Iterator[int]) -> None:
        self._url = url
        self._numbers = numbers
        self.acknowledged: dict[str, Any] = {}
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with suppress(httpx.HTTPError), httpx.Client(headers=AUTH, timeout=20.0) as client:
            while True:
                text = f"Question {next(self._numbers)}"
                reply = client.post(self._url + "/v1/chat/completions", json=chat(text, "vary"))
                if reply.status_code == 200 and "stored" in reply.headers["cache-status"]:
                    self.acknowledged[text] = reply.json()["choices"]

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=30)


def test_nothing_acknowledged_is_lost_when_the_process_is_killed_under_load(fleet: Fleet) -> None:
    upstream = fleet.upstream("--tokens", "60")
    config = fleet.config(upstream.url)
    numbers = count()
    expected: dict[str, Any] = {}
    for _ in range(ROUNDS):
        server = fleet.cachemw(config)
        load = Load(server.url, numbers)
        wait_until(lambda load=load: len(load.acknowledged) >= 150, timeout=40, what="load")  # type: ignore[misc]
        server.kill()
        load.join()
        expected |= load.acknowledged
    upstream.kill()  # so that every answer is from the store
    server = fleet.cachemw(config)
    assert len(expected) >= ROUNDS * 150
    with httpx.Client(base_url=server.url, headers=AUTH) as client:
        for text, choices in expected.items():
            reply = client.post("/v1/chat/completions", json=chat(text, "vary"))
            assert reply.headers["x-cachemw-layer"] == "exact", text
            assert reply.json()["choices"] == choices
    assert "cachemw_evictions_total{" not in httpx.get(server.url + "/metrics").text


def test_a_paraphrase_hits_after_a_restart(fleet: Fleet) -> None:
    upstream = fleet.upstream()
    config = fleet.config(upstream.url, mode="semantic")
    server = fleet.cachemw(config)
    stored = ask(server, "How do I reset my account password?").json()
    wait_until(lambda: _vectors(server) == 1, what="vector in the index")
    _wait_for_second_write(server)
    server.kill()
    upstream.kill()
    server = fleet.cachemw(config)
    assert _vectors(server) == 1
    reply = ask(server, "How can I reset my account password?")
    assert reply.headers["x-cachemw-layer"] == "semantic"
    assert reply.json()["choices"] == stored["choices"]
    # With nothing near, there is nothing to serve.
    assert only_if_cached(server, "Which rivers flow through Budapest?").status_code == 504


def _vectors(server: ServerProcess) -> int:
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    values = [line.split()[1] for line in lines if line.startswith("cachemw_index_vectors ")]
    return int(float(values[0])) if values else 0


def _wait_for_second_write(server: ServerProcess) -> None:
    """Wait for the vector: written with the document or, if late, after it; then indexed."""
    assert ask(server, "How do I reset my account password?").headers["x-cachemw-layer"] == "exact"
