"""A redis-server of our own, on a free port."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtests.http.servers import Server, free_port, running

_HOST = "127.0.0.1"
_SETTINGS = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "volatile-lru")


@contextmanager
def redis_server(folder: Path, on: frozenset[int], maxmemory_mb: int = 0) -> Iterator[Server]:
    """Run Redis until the end of the block; `maxmemory_mb` 0 for no limit.

    It begins with the dump in `folder`, if there is one, and writes one when it is told to only.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [program, "--port", str(port), "--bind", _HOST, "--dir", str(folder), *_SETTINGS]
    command += ["--maxmemory", f"{maxmemory_mb}mb"]
    with running(command, port, on, lambda: _pongs(port)) as server:
        yield server


def url(server: Server) -> str:
    """Return the URL of a running Redis."""
    return f"redis://{_HOST}:{server.port}/0"


def _pongs(port: int) -> bool:
    """Whether it answers; while it loads a dump it says LOADING."""
    try:
        with socket.create_connection((_HOST, port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
