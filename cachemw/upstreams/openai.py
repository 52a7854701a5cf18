"""An OpenAI-compatible backend over HTTP, through httpx."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import cast

import httpx
from cachemw_policies.retry import counts_against_upstream

from cachemw.errors import UpstreamBroken, UpstreamBusy, UpstreamTimeout, UpstreamUnavailable
from cachemw.http.messages import Header
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.headers import CREDENTIALS
from cachemw.upstreams.health import UpstreamHealth
from cachemw.upstreams.transport import OriginTransport, ReplyBody

# The few that are asked for all the time; clients can make up others without end.
_URLS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds, and the number of connections kept to the backend.

    `first_byte` counts until the head of the reply and then between two chunks of it; `total`
    counts the whole call.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    total: float = 600.0
    connections: int = 256


class OpenAIUpstream(Upstream):
    """One backend behind `base_url` (which ends in /v1, as the client libraries have it).

    `api_key` replaces the client's credential; without one the client's own is passed through.
    `uds` reaches a backend on this machine through a Unix domain socket.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        api_key: str | None = None,
        limits: Limits = Limits(),
        health: UpstreamHealth,
        uds: str | None = None,
    ) -> None:
        self.name = name
        self.total_seconds = limits.total
        self._base = httpx.URL(base_url.rstrip("/"))
        self._urls: dict[tuple[str, bytes], httpx.URL] = {}
        self._authorization = None if api_key is None else f"Bearer {api_key}".encode()
        self._limits = limits
        self._health = health
        self.origin = uds or f"{self._base.scheme}://{self._base.netloc.decode()}"
        self._transport = OriginTransport(
            connections=limits.connections, connect_seconds=limits.connect, uds=uds
        )

    async def start(self) -> None:
        """Nothing to begin: connections are made when they are needed."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Make the call; see Upstream."""
        began = self._health.admit()
        now = asyncio.get_running_loop().time()
        deadline = min(now + self._limits.total, request.deadline)
        outgoing = httpx.Request(
            request.method,
            self._url(request),
            headers=self._headers(request),
            content=request.body,
        )
        with self._mapped(began, before_head=True):
            async with asyncio.timeout_at(min(now + self._limits.first_byte, deadline)):
                response = await self._transport.handle_async_request(outgoing)
        if counts_against_upstream(response.status_code):
            self._health.failed(began, f"status {response.status_code}")
        else:
            self._health.head(began)
        # The transport's response lacks the request that decoding errors name.
        response.request = outgoing
        chunks = self._chunks(response, began, deadline, raw=request.raw)
        abandon = cast("ReplyBody", response.stream).close
        return UpstreamReply(response.status_code, response.headers.raw, chunks, abandon)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _chunks(
        self, response: httpx.Response, began: float, deadline: float, *, raw: bool
    ) -> AsyncGenerator[bytes, None]:
        source = response.aiter_raw() if raw else response.aiter_bytes()
        try:
            while (chunk := await self._next(source, began, deadline)) is not None:
                yield chunk
            if not counts_against_upstream(response.status_code):
                self._health.whole(began)
        finally:
            await response.aclose()

    async def _next(
        self, source: AsyncIterator[bytes], began: float, deadline: float
    ) -> bytes | None:
        """Return the next chunk, None at the end.

        The time limit stands around the wait alone: it must not strike its reader's own waits.
        """
        with self._mapped(began, before_head=False):
            silent = asyncio.get_running_loop().time() + self._limits.first_byte
            async with asyncio.timeout_at(min(deadline, silent)):
                return await anext(source, None)

    def _url(self, request: UpstreamRequest) -> httpx.URL:
        """Return where a request goes. Making a URL takes longer than most of a call's steps."""
        wanted = (request.path, request.query)
        url = self._urls.get(wanted)
        if url is None:
            path = self._base.raw_path.rstrip(b"/") + request.path.removeprefix("/v1").encode()
            query = b"?" + request.query if request.query else b""
            url = self._base.copy_with(raw_path=path + query)
            if len(self._urls) < _URLS_KEPT:
                self._urls[wanted] = url
        return url

    def _headers(self, request: UpstreamRequest) -> list[Header]:
        headers = [(b"host", self._base.netloc), *request.headers]
        if not request.raw:
            headers.append((b"accept-encoding", b"identity"))
        if isinstance(request.body, bytes) and request.body:
            headers.append((b"content-length", str(len(request.body)).encode()))
        if self._authorization is None:
            return headers
        kept = [header for header in headers if header[0] not in CREDENTIALS]
        return [*kept, (b"authorization", self._authorization)]

    @contextlib.contextmanager
    def _mapped(self, began: float, *, before_head: bool) -> Iterator[None]:
        """Turn the library's errors into ours, in this one place."""
        try:
            yield
        except httpx.PoolTimeout as error:
            # Our own limit: it says nothing about the upstream.
            busy = f"All {self._limits.connections} connections to '{self.name}' are in use."
            raise UpstreamBusy(busy) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            self._health.failed(began, type(error).__name__)
            raise UpstreamTimeout(f"Upstream '{self.name}' did not answer in time.") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            self._health.failed(began, type(error).__name__)
            if before_head:
                message = f"Upstream '{self.name}' could not be reached."
                raise UpstreamUnavailable(message) from error
            raise UpstreamBroken(f"Upstream '{self.name}' broke off its answer.") from error
