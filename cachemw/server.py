"""Running the service under uvicorn, with a drain that a load balancer can see."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import uvicorn

from cachemw.app import Service
from cachemw.config import ServerConfig
from cachemw.http.protocol import JoiningProtocol


@dataclass(frozen=True, slots=True)
class Repeated:
    """What is called every so many seconds from the moment that requests are served."""

    call: Callable[[], None]
    seconds: float


class DrainingServer(uvicorn.Server):
    """On SIGTERM says 503 on /readyz for `drain_seconds` while it still serves, then stops.

    uvicorn closes its sockets at once, so that a load balancer would meet refused connections
    before it has seen that this replica is going away. A second one, or `stop_now`, does not wait.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        drain_seconds: float,
        stop_now: signal.Signals,
        repeated: Sequence[Repeated],
    ) -> None:
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds
        self._stop_now = stop_now
        self._repeated = repeated
        self._repeating: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and what is repeated; it ends with the event loop."""
        await super().startup(sockets)
        if self.started:
            self._repeating = [asyncio.create_task(_repeat(each)) for each in self._repeated]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install our handlers while the server runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain, loop)
        loop.add_signal_handler(self._stop_now, self._stop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            loop.remove_signal_handler(self._stop_now)

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._service.readiness.draining:
            self._stop()
            return
        self._service.readiness.draining = True
        self._timer = loop.call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()  # or the drain's own end would count as one more signal
        self._service.readiness.draining = True
        self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop, and a second time stop waiting too."""
        self.force_exit = self.should_exit
        self.should_exit = True


async def _repeat(repeated: Repeated) -> None:
    while True:
        repeated.call()
        await asyncio.sleep(repeated.seconds)


def serve(
    service: Service,
    config: ServerConfig,
    *,
    sockets: Sequence[socket.socket] | None = None,
    stop_now: signal.Signals = signal.SIGINT,
    repeated: Sequence[Repeated] = (),
) -> int:
    """Serve until told to stop; returns the exit code.

    On `sockets`, where they are given, else on the configured host and port.
    """
    server = DrainingServer(
        uvicorn.Config(
            service.asgi,
            host=config.host,
            port=config.port,
            http=JoiningProtocol,
            proxy_headers=False,  # nothing here asks who the client is
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            limit_concurrency=config.max_connections,
            # Longer than clients keep idle connections, or they would send into a closing one.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(config.shutdown_seconds)),
        ),
        service,
        config.drain_seconds,
        stop_now,
        repeated,
    )
    server.run(None if sockets is None else list(sockets))
    service.metrics.fold()
    return 0 if server.started else 3
