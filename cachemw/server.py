"""Running the service under uvicorn, with a drain that a load balancer can see."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import uvicorn

from cachemw.app import Service
from cachemw.config import ServerConfig
from cachemw.http.protocol import JoiningProtocol


class DrainingServer(uvicorn.Server):
    """On SIGTERM says 503 on /readyz for `drain_seconds` while it still serves, then stops.

    uvicorn closes its sockets at once, so that a load balancer would meet refused connections
    before it has seen that this replica is going away. A second signal, or SIGINT, does not wait.
    """

    def __init__(self, config: uvicorn.Config, service: Service, drain_seconds: float) -> None:
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install our handlers while the server runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain, loop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            loop.remove_signal_handler(signal.SIGINT)

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


def serve(service: Service, config: ServerConfig) -> int:
    """Serve until told to stop; returns the exit code."""
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
    )
    server.run()
    return 0 if server.started else 3
