"""A causal LM loaded on this machine, in a worker process, as one more upstream."""

from __future__ import annotations

from typing import Protocol

from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.openai import OpenAIUpstream


class LocalModel(Protocol):
    """The process that runs the model: `LocalModelProcess`, or `RunningModel` for another's."""

    async def start(self) -> None:
        """Start it; does not wait until it is ready."""

    async def wait_ready(self, timeout_s: float) -> None:
        """Return once it answers. Raises UpstreamUnavailable after so many seconds."""

    async def aclose(self) -> None:
        """Stop it."""


class LocalUpstream(Upstream):
    """Speaks to the worker over its Unix socket; waits for it while it loads.

    `ready_seconds` bounds that wait: loading the model takes seconds, and so does a restart.
    """

    def __init__(self, process: LocalModel, http: OpenAIUpstream, *, ready_seconds: float) -> None:
        self.name = http.name
        self.origin = http.origin
        self.total_seconds = http.total_seconds
        self._process = process
        self._http = http
        self._ready_seconds = ready_seconds

    async def start(self) -> None:
        """Start the worker; does not wait until it is ready."""
        await self._process.start()

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Make the call once the worker is ready, or raise UpstreamUnavailable."""
        await self._process.wait_ready(self._ready_seconds)
        return await self._http.send(request)

    async def aclose(self) -> None:
        """Stop the worker."""
        await self._http.aclose()
        await self._process.aclose()
