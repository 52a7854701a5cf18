"""Real servers for tests: in a thread (its objects can be seen) or a process (can be killed)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

_ROOT = Path(__file__).resolve().parents[2]
_HOST = "127.0.0.1"
# By default no hit is withheld to check it: by chance that would be any of them.
_CALM = {"CACHEMW_SHADOW__SHARE": "0"}


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    condition: Callable[[], bool], *, timeout: float = 5.0, what: str = "condition"
) -> None:
    """Poll until `condition` holds; a TimeoutError says what was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {timeout} s")
        time.sleep(0.005)


class ServerThread:
    """Serve an ASGI application on a free port, in a thread with its own event loop.

    with ServerThread(app) as server:
        httpx.get(server.url + "/healthz")
    """

    def __init__(self, app: Any, *, startup_s: float = 30.0) -> None:
        # Bound here and listening at once, so that no client can come too early.
        self._socket = socket.create_server((_HOST, 0), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{_HOST}:{self.port}"
        self._startup_s = startup_s
        self._error: BaseException | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                http="httptools",
                lifespan="on",
                # Through the root logger, so that pytest shows a failed start's traceback.
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name=f"server-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(
            lambda: self._server.started or not self._thread.is_alive(),
            timeout=self._startup_s,
            what="server start",
        )
        if not self._server.started:
            self._socket.close()
            raise RuntimeError("the application failed to start; see its log") from self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()
        if self._thread.is_alive():
            raise RuntimeError("the server did not stop within 10 s")

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - shown by the starting thread
            self._error = error


class ServerProcess:
    """A server in a process of its own; made by `start_process`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self.port = port
        self.url = f"http://{_HOST}:{port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, None while running."""
        return self._process.poll()

    def output(self) -> str:
        """Return what the process has written to stdout and stderr so far."""
        return self._log.read_text(errors="replace")

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for the end and return the exit status."""
        return self._process.wait(timeout)

    def terminate(self, timeout: float = 10.0) -> int:
        """Ask it to stop (SIGTERM) and return the exit status."""
        self._process.terminate()
        return self.wait(timeout)

    def kill(self) -> int:
        """End it and all its children at once (SIGKILL)."""
        if self.returncode is None:
            # It leads a process group of its own, so that its workers go with it.
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._log.unlink(missing_ok=True)


def start_process(
    args: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    ready: str = "/healthz",
    timeout: float = 30.0,
    port: int | None = None,
) -> ServerProcess:
    """Start `python ARGS` from the repository root and wait until its `ready` path answers 200.

    `{port}` in an argument or a value of `env` stands for `port`, a free one if none is given.
    """
    port = port or free_port()
    fill = {"{port}": str(port)}
    handle, log = tempfile.mkstemp(prefix="server-", suffix=".log")
    with os.fdopen(handle, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, *(_fill(argument, fill) for argument in args)],
            cwd=_ROOT,
            env=os.environ
            | _CALM
            | {name: _fill(value, fill) for name, value in (env or {}).items()},
            # A file and not a pipe: nobody reads while the tests run, and a full pipe blocks.
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = ServerProcess(process, port, Path(log))
    try:
        wait_until(
            lambda: process.poll() is not None or _answers(server.url + ready),
            timeout=timeout,
            what=f"answer from {ready}",
        )
    except TimeoutError as error:
        error.add_note(server.output())
        server.kill()
        raise
    if process.poll() is not None:
        raise RuntimeError(f"exited with {process.returncode}: {server.output()}")
    return server


def _fill(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0).status_code == 200
    except httpx.HTTPError:
        return False
