"""Real Redis servers of the tests' own: one, or a cluster of six."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from redis.crc import key_slot

from tests.support.servers import free_port, wait_until

_HOST = "127.0.0.1"


def need_redis() -> None:
    """Skip the test where there is no Redis to start."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("needs redis-server and redis-cli; deploy/bootstrap.py says how to get them")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Return a server for all tests that leave it running; they take a namespace each."""
    need_redis()
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisClusterServers]:
    """Return a cluster for all tests that leave it whole; they take a namespace each."""
    need_redis()
    with RedisClusterServers() as cluster:
        yield cluster


class RedisServer:
    """A redis-server on a free port, with its files in a directory of its own.

    with RedisServer() as server:
        make_store(StoreSettings(kind="redis", url=server.url), ...)

    `options` are lines of redis.conf, as {"maxmemory": "8mb"}.
    """

    def __init__(self, port: int | None = None, options: dict[str, str] | None = None) -> None:
        self.port = free_port() if port is None else port
        self.url = f"redis://{_HOST}:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None
        self._options = {"save": "", "appendonly": "no", "bind": _HOST} | (options or {})
        self._directory = Path(tempfile.mkdtemp(prefix="redis-"))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        arguments = [word for name, value in self._options.items() for word in (f"--{name}", value)]
        with (self._directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "redis-server",
                    "--port",
                    str(self.port),
                    "--dir",
                    str(self._directory),
                    *arguments,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, timeout=20, what=f"redis-server on port {self.port}")
        except TimeoutError as error:
            error.add_note((self._directory / "log").read_text(errors="replace"))
            self.stop()
            raise

    def ask(self, *words: str) -> str:
        """Return the reply to a command, as redis-cli prints it."""
        command = ["redis-cli", "-h", _HOST, "-p", str(self.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.strip()

    def pause(self) -> None:
        """Stop it from doing anything; its connections stay."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def resume_if_paused(self) -> None:
        """Let it go on, if it runs at all."""
        if self.process is not None:
            self.resume()

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    def stop(self) -> None:
        """End it and remove its files."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with closing(socket.create_connection((_HOST, self.port), timeout=1)) as connection:
                connection.sendall(b"PING\r\n")
                # Also what it says where it wants a password first.
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class RedisClusterServers:
    """Three masters and a replica of each."""

    def __init__(self) -> None:
        options = {
            "cluster-enabled": "yes",
            # Milliseconds after which a node counts as failed.
            "cluster-node-timeout": "500",
            # One part that failed does not take the others with it.
            "cluster-require-full-coverage": "no",
            "repl-diskless-sync-delay": "0",
            # Seconds; a replica counts from the first on.
            "repl-ping-replica-period": "1",
        }
        self.nodes = [RedisServer(_cluster_port(), options) for _ in range(6)]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The URL of the first node."""
        return self.nodes[0].url

    def masters_of(self, keys: Sequence[bytes]) -> list[RedisServer]:
        """Return the nodes that have `keys` now."""
        asked = next(node for node in self.nodes if node.process is not None)
        parts = [_part(line) for line in asked.ask("cluster", "nodes").splitlines()]
        by_port = {node.port: node for node in self.nodes}
        return [
            next(by_port[port] for port, slots in parts if any(key_slot(key) in r for r in slots))
            for key in keys
        ]

    def __enter__(self) -> Self:
        for node in self.nodes:
            self._stack.enter_context(node)
        addresses = [f"{_HOST}:{node.port}" for node in self.nodes]
        create = ["redis-cli", "--cluster", "create", *addresses]
        create += ["--cluster-replicas", "1", "--cluster-yes"]
        subprocess.run(create, check=True, capture_output=True, timeout=60)
        wait_until(self._is_whole, timeout=30, what="cluster with replicas")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _is_whole(self) -> bool:
        """Every node knows that all is well, and every replica has its master's data."""
        return all(
            "cluster_state:ok" in node.ask("cluster", "info")
            and "master_link_status:down" not in node.ask("info", "replication")
            and len(node.ask("cluster", "slots").split(_HOST)) == 7
            for node in self.nodes
        )


def _part(line: str) -> tuple[int, list[range]]:
    """Return the port and the slots of a node, from its line of CLUSTER NODES."""
    _, address, flags, _, _, _, _, _, *slots = line.split()
    port = int(address.split("@")[0].rpartition(":")[2])
    if "fail" in flags:
        return port, []
    edges = [text.partition("-") for text in slots if not text.startswith("[")]
    return port, [range(int(first), int(last or first) + 1) for first, _, last in edges]


def _cluster_port() -> int:
    """Return a port whose twin, 10000 higher, is for the nodes among themselves."""
    while True:
        port = free_port()
        if port > 55_000:
            port -= 30_000
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind((_HOST, port))
                second.bind((_HOST, port + 10_000))
            except OSError:
                continue
        return port
