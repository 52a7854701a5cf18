"""A TCP proxy that holds back what passes: `python -m loadtests.breakeven.delay`.

Bytes of either direction leave half a round trip after they came, in their order. It stands for the
way between two machines, which loopback has not. Threads and not an event loop: timers of event
loops count whole milliseconds, and half a round trip may be less.
"""

from __future__ import annotations

import argparse
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from loadtests.http.servers import Server, free_port, python, running

_HOST = "127.0.0.1"
_CHUNK = 64 << 10

Late = queue.SimpleQueue[tuple[float, bytes]]


def received(source: socket.socket, late: Late, delay_s: float) -> None:
    """Take in one direction until its end, which is an empty chunk."""
    chunk = b"x"
    while chunk:
        try:
            chunk = source.recv(_CHUNK)
        except OSError:
            chunk = b""
        late.put((time.monotonic() + delay_s, chunk))


def sent(late: Late, to: socket.socket) -> None:
    """Pass chunks on when they are due: late, but not spaced out."""
    with suppress(OSError):
        while True:
            due, chunk = late.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not chunk:
                to.shutdown(socket.SHUT_WR)
                return
            to.sendall(chunk)


def serve(listener: socket.socket, to: int, round_trip_s: float) -> None:
    """Serve until the process is ended."""
    while True:
        client, _ = listener.accept()
        server = socket.create_connection((_HOST, to))
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            late: Late = queue.SimpleQueue()
            threading.Thread(
                target=received, args=(one, late, round_trip_s / 2), daemon=True
            ).start()
            threading.Thread(target=sent, args=(late, other), daemon=True).start()


@contextmanager
def delayed(to: Server, round_trip_ms: float, on: frozenset[int]) -> Iterator[int]:
    """Yield the port by which `to` is reached, with that much added to every round trip.

    Nothing stands between where that is 0.
    """
    if round_trip_ms == 0:
        yield to.port
        return
    port = free_port()
    command = python("-m", "loadtests.breakeven.delay", "--port", str(port))
    command += ["--to", str(to.port), "--round-trip-ms", str(round_trip_ms)]
    with running(command, port, on, partial(_listens, port)):
        yield port


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.breakeven.delay")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--round-trip-ms", type=float, required=True)
    options = parser.parse_args()
    with socket.create_server((_HOST, options.port)) as listener:
        serve(listener, options.to, options.round_trip_ms / 1e3)


if __name__ == "__main__":
    main()
