"""Servers as processes of their own, on cores of their own where that matters."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_HOST = "127.0.0.1"
_ROOT = Path(__file__).resolve().parents[2]
_POLL_S = 0.005
_READY_WITHIN_S = 180
_LOG_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: the server under test on one core, what loads it on another."""

    all: frozenset[int]
    server: frozenset[int]
    load: frozenset[int]


def cores() -> Cores:
    """Share out the cores that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(usable), frozenset(usable[:1]), frozenset(usable[-1:]))


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `ready_s` went by from its start until it answered.

    `log` returns what it has written so far, 64 MiB at most.
    """

    port: int
    pid: int
    ready_s: float
    log: Callable[[], str] = str


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def python(*args: str) -> list[str]:
    """Return a command that runs this interpreter."""
    return [sys.executable, "-W", "ignore", *args]


def pinned(command: Sequence[str], on: frozenset[int]) -> list[str]:
    """Return `command` so that it runs on the given cores: taskset becomes it, under one pid."""
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(on))), *command]


@contextmanager
def serving(
    command: Sequence[str],
    port: int,
    on: frozenset[int],
    ready: str = "/healthz",
    env: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """Run an HTTP server on the given cores until the end of the block."""
    with running(command, port, on, lambda: _answers(port, ready), env) as server:
        yield server


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    on: frozenset[int],
    is_ready: Callable[[], bool],
    env: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """Run a server on the given cores until the end of the block; `env` is added to ours."""
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            pinned(command, on),
            cwd=_ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("CACHEMW_")} | {**env},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            try:
                ready_s = _wait(process, is_ready, started)
            except RuntimeError as error:
                error.add_note(_log(log.fileno()))
                raise
            yield Server(port, process.pid, ready_s, lambda: _log(log.fileno()))
        finally:
            _stop(process)


def _log(file: int) -> str:
    """Return what a process has written so far. Its own position in the file stays."""
    return os.pread(file, _LOG_BYTES, 0).decode(errors="replace")


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], started: float) -> float:
    while process.poll() is None:
        if is_ready():
            return time.perf_counter() - started
        if time.perf_counter() - started > _READY_WITHIN_S:
            raise RuntimeError(f"{process.args!r}: not ready after {_READY_WITHIN_S} s")
        time.sleep(_POLL_S)
    raise RuntimeError(f"{process.args!r}: exited with {process.returncode}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it has started: they are a process group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def resident_mb(pid: int) -> float:
    """Return a process's resident memory. Linux only."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its children have used so far. Linux only."""
    ticks = 0
    for one in (pid, *children(pid)):
        # The name, in parentheses, may hold anything; after it the fields are plain.
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and those that they have. Linux only."""
    direct: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        direct += map(int, (task / "children").read_text().split())
    return direct + [grand for child in direct for grand in children(child)]
