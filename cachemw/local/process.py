"""The worker process seen from the service: started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from cachemw.errors import ConfigError, UpstreamUnavailable

logger = logging.getLogger("cachemw.local")

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

PROBE_EVERY_S = 0.05
TERMINATE_WITHIN_S = 5.0
STDERR_LINES = 40
STDERR_LINE_BYTES = 500
SOCKET_PATH_BYTES = 103
"""The shortest limit for a Unix socket's path among the systems we run on (macOS; Linux: 107)."""


class WorkerState(enum.StrEnum):
    """Where the worker stands; every change is one log line."""

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    DIED = "died"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a restart, in seconds: doubling, bounded.

    A worker that had been ready for `healthy_after_s` begins again at `first_s`.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    healthy_after_s: float = 60.0

    def delay_s(self, failures: int) -> float:
        """Return the wait after so many failures in a row, the first being 1."""
        doublings = min(failures - 1, 32)  # enough to reach any bound, too few to overflow
        return min(self.most_s, self.first_s * 2.0**doublings)


class LocalModelProcess:
    """Supervises one worker that serves `model` as `name` over `socket_path`.

    The socket lies in a private directory (0700) under `runtime_dir`, removed by `aclose`. The
    worker exits by itself when this process dies, since it watches its stdin. Raises `ConfigError`
    when `runtime_dir` is too deep for a Unix socket.
    """

    def __init__(
        self,
        model: str | Path,
        name: str,
        *,
        threads: int = 1,
        runtime_dir: Path | None = None,
        python: str = sys.executable,
        backoff: Backoff | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="cachemw-", dir=runtime_dir))  # 0700
        self.socket_path = self._directory / "model.sock"
        if len(os.fsencode(self.socket_path)) > SOCKET_PATH_BYTES:
            self._directory.rmdir()
            raise ConfigError(f"runtime_dir is too long for a Unix socket: {runtime_dir}")
        self._name = name
        self._command = (
            *(python, "-m", "cachemw.local.worker", "--model", str(model), "--name", name),
            *("--uds", str(self.socket_path), "--threads", str(threads)),
            "--exit-on-stdin-eof",
        )
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._sleep = sleep
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.state = WorkerState.NEW

    @property
    def pid(self) -> int | None:
        """The worker's process id, None before the first start."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the worker and its supervision; does not wait until it is ready."""
        if self.state is not WorkerState.NEW:
            raise RuntimeError(f"cannot start a worker that is {self.state}")
        process = await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise(process), name="local-model")

    async def wait_ready(self, timeout_s: float) -> None:
        """Return once the worker answers; `UpstreamUnavailable` after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            raise UpstreamUnavailable(
                f"the local model '{self._name}' is {self.state}, not ready after {timeout_s:g} s"
            ) from None

    async def aclose(self) -> None:
        """Stop supervising, terminate the worker (SIGTERM, then SIGKILL), remove the socket."""
        if self.state is WorkerState.CLOSED:
            return
        self._change(WorkerState.CLOSED)
        self._ready.clear()
        try:
            if self._supervisor is not None:
                self._supervisor.cancel()
                await asyncio.wait({self._supervisor})
                if not self._supervisor.cancelled():
                    self._supervisor.result()  # it never returns: raises what broke it
        finally:
            if self._process is not None:
                await _terminate(self._process)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._directory)

    async def _supervise(self, first: asyncio.subprocess.Process) -> None:
        process: asyncio.subprocess.Process | None = first
        failures = 0
        while True:
            ready_s = 0.0 if process is None else await self._watch(process)
            failures = 1 if ready_s >= self._backoff.healthy_after_s else failures + 1
            await self._sleep(self._backoff.delay_s(failures))
            process = await self._respawn()

    async def _respawn(self) -> asyncio.subprocess.Process | None:
        try:
            return await self._spawn()
        except OSError as error:  # out of memory or descriptors: may pass, so try again later
            self._change(WorkerState.DIED, f" (cannot be started: {error})")
            return None

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._change(WorkerState.STARTING)
        self.socket_path.unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # held open: its end tells the worker that we died
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        return self._process

    async def _watch(self, process: asyncio.subprocess.Process) -> float:
        """Follow one worker to its death; return for how many seconds it had been ready."""
        tail: deque[str] = deque(maxlen=STDERR_LINES)
        stderr = asyncio.create_task(_drain(process.stderr, tail))
        probe = asyncio.create_task(self._probe())
        try:
            code = await process.wait()
            await stderr
        finally:
            stderr.cancel()
            probe.cancel()
            await asyncio.wait({stderr, probe})
        ready_s = 0.0 if probe.cancelled() else self._clock() - probe.result()
        self._ready.clear()
        self._change(WorkerState.DIED, f" (exit status {code}, ready for {ready_s:.1f} s)")
        if code != 0 and tail:
            logger.warning("local model '%s' wrote:\n%s", self._name, "\n".join(tail))
        return ready_s

    async def _probe(self) -> float:
        """Ask until the worker answers; return when it did, by the clock."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket_path))
        async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
            while not await _answers(client):
                await self._sleep(PROBE_EVERY_S)
        self._change(WorkerState.READY)
        self._ready.set()
        return self._clock()

    def _change(self, state: WorkerState, detail: str = "") -> None:
        self.state = state
        level = logging.WARNING if state is WorkerState.DIED else logging.INFO
        logger.log(level, "local model '%s' %s%s", self._name, state, detail)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).is_success
    except httpx.HTTPError:
        return False  # no socket yet: the model is still loading


async def _drain(stream: asyncio.StreamReader | None, tail: deque[str]) -> None:
    """Keep the last lines of `stream`, each cut to a bound, whatever their length."""
    if stream is None:
        raise RuntimeError("the worker was started without a stderr pipe")
    rest = b""
    while chunk := await stream.read(4096):
        *lines, rest = (rest + chunk).split(b"\n")
        tail.extend(line[:STDERR_LINE_BYTES].decode(errors="replace") for line in lines)
        rest = rest[:STDERR_LINE_BYTES]
    if rest:
        tail.append(rest.decode(errors="replace"))


async def _terminate(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):  # it may die between the check and the signal
        process.terminate()
    # With supervision over nobody reads stderr: keep the pipe from filling while we wait.
    draining = asyncio.create_task(_drain(process.stderr, deque(maxlen=1)))
    try:
        async with asyncio.timeout(TERMINATE_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    finally:
        draining.cancel()
