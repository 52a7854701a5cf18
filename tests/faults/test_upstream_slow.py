"""Upstreams that are slow, half-open or break off: bounded times, and nothing is left behind.

cachemw is a process; the upstreams are sockets of this one, or a process that is stopped.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.conftest import Fleet, ask, wait_until
from tests.support.servers import ServerProcess

LIMITS = {
    "connect_seconds": 0.5,
    "first_byte_seconds": 0.5,
    "total_seconds": 2.0,
    "connections": 2,
    "retries": 1,
    "retry_base_seconds": 0.01,
    "breaker_failures": 1_000_000,
}
# What the limits above allow, with room for a machine that is busy with something else.
BOUND = 20.0

Talk = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"


@contextmanager
def speaking(talk: Talk) -> Iterator[str]:
    """Serve `talk` on every connection, once a request has come; yield the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if connection.recv(65536):
                talk(connection)
            # Stay, unless `talk` has hung up: only the client, or the end, ends it.
            while not over.is_set() and connection.recv(65536):
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(BOUND)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(timeout=5.0)


def silent(_: socket.socket) -> None:
    """Say nothing."""


def drip(data: bytes, pause: float) -> Talk:
    """Say a byte now and then."""

    def talk(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return talk


def cut(data: bytes) -> Talk:
    """Say something and hang up."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return talk


def front(fleet: Fleet, url: str, **more: Any) -> ServerProcess:
    upstream = {"name": "raw", "base_url": url + "/v1"} | LIMITS | more
    return fleet.cachemw(fleet.config(url, upstreams=[upstream]))


def metric(server: ServerProcess, name: str) -> float:
    """Return the sum of a metric's samples."""
    text = httpx.get(server.url + "/metrics").text
    lines = (line for line in text.splitlines() if line.startswith(f"cachemw_{name}"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def timed(server: ServerProcess, text: str, **more: Any) -> tuple[int, str]:
    """Ask; return the status and the error's code. It must not take longer than `BOUND`."""
    started = time.monotonic()
    reply = ask(server, text, **more)
    assert time.monotonic() - started < BOUND
    return reply.status_code, reply.json()["error"]["code"]


def drip_body(connection: socket.socket) -> None:
    """Answer, a byte now and then."""
    connection.sendall(HEAD)
    drip(b"{" * 1000, 0.1)(connection)


def answer_once(connection: socket.socket) -> None:
    """Answer the first request of a connection, and no other."""
    answer = json.dumps({"choices": []}).encode()
    connection.sendall(HEAD.replace(b"1000", b"%d" % len(answer)) + answer)


FAULTS: dict[str, tuple[Talk, int, str]] = {
    "never answers": (silent, 504, "upstream_timeout"),
    "drips its head": (drip(HEAD, 0.2), 504, "upstream_timeout"),
    "drips its body": (drip_body, 504, "upstream_timeout"),
    "not HTTP": (drip(b"SSH-2.0\r\n", 0.0), 502, "upstream_unavailable"),
    "cuts its head": (cut(HEAD[:30]), 502, "upstream_unavailable"),
    "cuts its body": (cut(HEAD + b"{"), 502, "upstream_broken"),
    "hangs up at once": (cut(b""), 502, "upstream_unavailable"),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[ServerProcess]:
    """Start cachemw with one upstream for each fault, which serves the model of that name."""
    talks = {name: talk for name, (talk, _, _) in FAULTS.items()} | {"answers once": answer_once}
    with ExitStack() as stack:
        fleet = Fleet(stack, tmp_path_factory.mktemp("faulty"), models)
        upstreams = [
            {
                "name": name,
                "models": [name],
                "base_url": stack.enter_context(speaking(talk)) + "/v1",
            }
            | LIMITS
            for name, talk in talks.items()
        ]
        yield fleet.cachemw(fleet.config("", upstreams=upstreams))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_call_ends_in_time_and_gives_its_connection_back(
    faulty: ServerProcess, fault: str
) -> None:
    _, status, code = FAULTS[fault]
    # More calls than connections: one that is not given back would show as `upstream_busy`.
    for n in range(3):
        started = time.monotonic()
        assert timed(faulty, f"Question {n}", model=fault) == (status, code)
    if fault == "drips its body":
        assert time.monotonic() - started >= LIMITS["total_seconds"] - 0.1
    assert metric(faulty, "upstream_in_flight") == 0


def test_a_kept_connection_whose_peer_has_vanished(faulty: ServerProcess) -> None:
    """The second request goes into the void; the retry takes a new connection."""
    for text in ("First", "Second"):
        assert ask(faulty, text, model="answers once").status_code == 200
    assert metric(faulty, 'upstream_retries_total{model="answers once"') == 1


def test_a_peer_that_drops_what_is_sent_to_it(fleet: Fleet) -> None:
    """A listener whose queue is full: the kernel drops further connections' packets."""
    with socket.socket() as listener, ThreadPoolExecutor(16) as pool:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        crowd = [socket.socket() for _ in range(8)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(address)
        server = front(fleet, f"http://127.0.0.1:{address[1]}", retries=0)
        asked = [pool.submit(timed, server, f"Question {n}") for n in range(6)]
        codes = {one.result()[1] for one in asked}
        assert codes <= {"upstream_timeout", "upstream_busy"}
        assert "upstream_timeout" in codes
        assert metric(server, "upstream_in_flight") == 0
        for one in crowd:
            one.close()


def test_more_calls_than_connections_wait_only_so_long(fleet: Fleet) -> None:
    with speaking(silent) as url, ThreadPoolExecutor(8) as pool:
        server = front(fleet, url, connect_seconds=0.2, first_byte_seconds=3.0, total_seconds=3.0)
        asked = [pool.submit(timed, server, f"Question {n}") for n in range(8)]
        outcomes = [one.result() for one in asked]
        assert outcomes.count((503, "upstream_busy")) == 6
        assert outcomes.count((504, "upstream_timeout")) == 2


def test_an_upstream_that_is_stopped_and_goes_on(fleet: Fleet) -> None:
    """SIGSTOP: its kernel still takes connections and data, nobody answers."""
    upstream = fleet.upstream()
    server = front(fleet, upstream.url, breaker_failures=4, breaker_seconds=0.5)
    assert ask(server, "Before").status_code == 200
    os.killpg(upstream.pid, signal.SIGSTOP)
    try:
        # On the connection kept from before, then on new ones.
        for n in range(2):
            assert timed(server, f"During {n}") == (504, "upstream_timeout")
        wait_until(
            lambda: timed(server, "Left alone")[1] == "upstream_circuit_open",
            timeout=BOUND,
            what="breaker",
        )
        assert metric(server, "upstream_breaker_open") == 1
    finally:
        os.killpg(upstream.pid, signal.SIGCONT)
    wait_until(lambda: ask(server, "After").status_code == 200, timeout=BOUND, what="recovery")
    assert metric(server, "upstream_breaker_open") == 0
    assert metric(server, "upstream_in_flight") == 0
