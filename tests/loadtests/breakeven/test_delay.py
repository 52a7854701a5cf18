"""The proxy that stands for a network."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from loadtests.breakeven.delay import delayed, serve
from loadtests.http.servers import Server


@pytest.fixture
def echo() -> Iterator[int]:
    """Run a server that sends back what it gets, until a client hangs up."""

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while chunk := client.recv(1 << 16):
                    client.sendall(chunk)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def exactly(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (chunk := connection.recv(1 << 16)):
        got += chunk
    return got


def test_bytes_arrive_in_order_after_a_round_trip(echo: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, echo, 0.05), daemon=True).start()
    sent = os.urandom(300_000)
    with closing(socket.create_connection(listener.getsockname())) as connection:
        connection.settimeout(20)
        began = time.monotonic()
        connection.sendall(sent[:10])
        assert exactly(connection, 10) == sent[:10]
        assert time.monotonic() - began >= 0.05
        threading.Thread(target=connection.sendall, args=(sent,), daemon=True).start()
        assert exactly(connection, len(sent)) == sent


def test_an_end_is_passed_on(echo: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, echo, 0.0), daemon=True).start()
    with closing(socket.create_connection(listener.getsockname())) as connection:
        connection.settimeout(20)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b""


def test_nothing_stands_between_where_nothing_is_added() -> None:
    with delayed(Server(4242, 1, 0.0), 0.0, frozenset({0})) as port:
        assert port == 4242


def test_the_proxy_runs_as_a_process(echo: int) -> None:
    on = frozenset(os.sched_getaffinity(0))
    with (
        delayed(Server(echo, 1, 0.0), 1.0, on) as port,
        closing(socket.create_connection(("127.0.0.1", port))) as connection,
    ):
        connection.settimeout(20)
        connection.sendall(b"hello")
        assert exactly(connection, 5) == b"hello"
