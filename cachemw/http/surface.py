"""The ASGI application: hot endpoints by table, other /v1/* passed through, the rest to FastAPI.

The hot path does not cross FastAPI's routing and validation: that alone costs four times what an
exact hit does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cachemw.endpoints.base import Endpoint
from cachemw.errors import HttpError, UpstreamError
from cachemw.http.messages import (
    JSON_TYPE,
    ClientGone,
    Header,
    HttpRequest,
    Receive,
    Reply,
    Stream,
    by_name,
)
from cachemw.identity.base import Identity
from cachemw.identity.budgets import Account
from cachemw.metrics import Metrics

log = logging.getLogger("cachemw.http")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = Callable[[HttpRequest, Endpoint], Awaitable[Reply]]
Forward = Callable[[HttpRequest], Awaitable[Reply]]

_BUDGET_PREFIX = b"x-ratelimit-"
_CLIENT_GONE = 499  # nginx's convention; nobody is there to see it


FEEDBACK_PATH = "/cache/feedback"


@dataclass(frozen=True, slots=True)
class Others:
    """What answers clients beside the cached endpoints: feedback is for `FEEDBACK_PATH`."""

    models: Forward
    passthrough: Forward
    feedback: Forward


class Surface:
    """Dispatches requests and sends replies."""

    def __init__(
        self,
        identity: Identity,
        endpoints: Mapping[str, Endpoint],
        answer: Answer,
        others: Others,
        control: Asgi,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._endpoints = endpoints
        self._answer = answer
        self._others = others
        self._control = control
        self._metrics = metrics
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _of_clients(scope["path"]):
            await self._control(scope, receive, send)
            return
        started = self._monotonic()
        header_list: list[Header] = scope["headers"]
        raw_path = scope.get("raw_path") or scope["path"].encode()
        request = HttpRequest(
            scope["method"],
            raw_path.decode("latin-1"),
            scope["query_string"],
            header_list,
            by_name(header_list),
            receive,
        )
        endpoint = self._endpoints.get(scope["path"]) if request.method == "POST" else None
        name = _other_name(scope["path"]) if endpoint is None else endpoint.name
        try:
            await self._served(request, endpoint, name, send, started)
        finally:
            request.release()

    async def _served(
        self,
        request: HttpRequest,
        endpoint: Endpoint | None,
        name: str,
        send: Send,
        started: float,
    ) -> None:
        try:
            reply = await self._reply(request, endpoint)
        except ClientGone:
            self._metrics.answered(
                name, "upstream", "default", _CLIENT_GONE, self._monotonic() - started
            )
            return
        if request.caller.account is not None:
            reply.headers = _with_budgets(reply.headers, request.caller.account)
        try:
            await self._send(request, reply, send, started)
        finally:
            if reply.close is not None:
                reply.close()
            seconds = self._monotonic() - started
            self._metrics.answered(name, reply.layer, reply.category, reply.status, seconds)

    async def _reply(self, request: HttpRequest, endpoint: Endpoint | None) -> Reply:
        """Answer; this is the one place where an exception becomes a reply."""
        try:
            self._identity.admit(request)
            return await self._dispatched(request, endpoint)
        except HttpError as error:
            refused = not isinstance(error, UpstreamError)
            if refused:
                self._metrics.refused.labels(error.code or error.type).inc()
            layer = "refused" if refused else "upstream"
            return Reply(error.status, [JSON_TYPE, *error.headers], error.body(), layer=layer)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001
            # The message may quote the request, so only the kind of error is logged.
            log.error("request failed", extra={"error": type(error).__name__})
            fault = HttpError("Internal error.")
            return Reply(500, [JSON_TYPE], fault.body(), layer="refused")

    async def _dispatched(self, request: HttpRequest, endpoint: Endpoint | None) -> Reply:
        if endpoint is not None:
            return await self._answer(request, endpoint)
        if request.path == "/v1/models" and request.method == "GET":
            return await self._others.models(request)
        if request.path == FEEDBACK_PATH:
            return await self._others.feedback(request)
        return await self._others.passthrough(request)

    async def _send(self, request: HttpRequest, reply: Reply, send: Send, started: float) -> None:
        if reply.stream is None:
            reply.headers.append((b"content-length", b"%d" % len(reply.body)))
            await send(_start(reply))
            self._metrics.first_byte(reply.layer, self._monotonic() - started)
            await send({"type": "http.response.body", "body": reply.body})
            return
        stream = self._timed(reply.stream, reply.layer, started)
        try:
            await request.unless_gone(_send_stream(reply, stream, send))
        except ClientGone:
            reply.status = _CLIENT_GONE
        except UpstreamError as error:
            # The head is out: all that is left is to break off, so that the client sees it.
            log.info("reply broken off", extra={"error": type(error).__name__})

    async def _timed(self, stream: Stream, layer: str, started: float) -> Stream:
        first = True
        async with aclosing(stream):
            async for chunk in stream:
                if first:
                    self._metrics.first_byte(layer, self._monotonic() - started)
                    first = False
                yield chunk


def _of_clients(path: str) -> bool:
    """Whether whoever asks is known by its client's credential, and not by the admin's token."""
    return path.startswith("/v1/") or path == FEEDBACK_PATH


def _other_name(path: str) -> str:
    return "feedback" if path == FEEDBACK_PATH else "passthrough"


def _with_budgets(headers: list[Header], account: Account) -> list[Header]:
    """Say what the caller has left, in place of what the upstream says of its own client: us."""
    others = [header for header in headers if not header[0].startswith(_BUDGET_PREFIX)]
    return [*others, *account.headers()]


def _start(reply: Reply) -> dict[str, Any]:
    return {"type": "http.response.start", "status": reply.status, "headers": reply.headers}


async def _send_stream(reply: Reply, stream: Stream, send: Send) -> None:
    await send(_start(reply))
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
