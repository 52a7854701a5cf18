"""One worker seen from its supervisor: a process, and a socket pair as its standard input.

The supervisor sends one line (handover.py) and then nothing; the end of the stream tells the worker
that the supervisor has died. The worker sends a byte every second from its event loop, the first of
them once it serves.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cachemw.config import ServerConfig

log = logging.getLogger("cachemw.workers")

_SLACK_S = 5.0
STOP_NOW = signal.SIGUSR2
"""What a worker takes for SIGINT. Ctrl-C reaches it too, but deciding is for the supervisor."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: from the start to serving, of silence of one that serves, to stop when told."""

    start: float = 180.0
    silence: float = 30.0
    stop: float = 60.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended: its exit status (negative: the signal), and how long it had served."""

    code: int
    served_s: float


def patience_for(config: ServerConfig) -> Patience:
    """Return how long to wait for a worker that is configured so."""
    return Patience(stop=longest_stop(config) + _SLACK_S)


def longest_stop(config: ServerConfig) -> float:
    """Return the longest that a worker may take to stop, in seconds.

    It drains, finishes its connections, and then the calls that go on without a client.
    """
    return config.drain_seconds + 2 * config.shutdown_seconds + _SLACK_S


class WorkerProcess:
    """One worker from its start to its end; made by `start`."""

    def __init__(
        self, process: asyncio.subprocess.Process, channel: socket.socket, patience: Patience
    ) -> None:
        self._process = process
        self._channel = channel
        self._patience = patience
        self._serving_since: float | None = None

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        env: Mapping[str, str],
        patience: Patience,
    ) -> WorkerProcess:
        """Start a worker; `follow` it. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=theirs.fileno(),
                    env=env,
                )
            except OSError:
                ours.close()
                raise
        return cls(process, ours, patience)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def follow(self, handover: bytes, on_serving: Callable[[], None]) -> Ending:
        """Tell the worker what it needs to know, and wait until it has ended."""
        reader, writer = await asyncio.open_connection(sock=self._channel)
        listening = asyncio.create_task(self._listen(reader, on_serving))
        try:
            with suppress(ConnectionError):  # it has died already
                writer.write(handover)
                await writer.drain()
            code = await self._process.wait()
        finally:
            listening.cancel()
            await asyncio.wait({listening})
            writer.close()
        since = self._serving_since
        return Ending(code, 0.0 if since is None else time.monotonic() - since)

    async def _listen(self, reader: asyncio.StreamReader, on_serving: Callable[[], None]) -> None:
        """Follow its heartbeat, and kill it where that stops."""
        if await self._beats(reader, self._patience.start):
            self._serving_since = time.monotonic()
            on_serving()
            # Twice half the time: if it was this process that did not run, the beats are there.
            half = self._patience.silence / 2
            while await self._beats(reader, half) or await self._beats(reader, half):
                pass
        # A channel that broke is that of a worker that has ended; it has its own way to be noticed.
        if not reader.at_eof() and reader.exception() is None:
            log.warning("worker hangs, killed", extra={"pid": self.pid})
            self.send(signal.SIGKILL)

    @staticmethod
    async def _beats(reader: asyncio.StreamReader, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                return bool(await reader.read(256))
        except (TimeoutError, ConnectionError):
            return False
