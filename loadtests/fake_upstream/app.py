"""The server: a request's path from its head to the answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from types import MappingProxyType
from typing import Any

import orjson

from loadtests.fake_upstream import (
    behaviour,
    chat,
    completions,
    embeddings,
    passthrough,
    responses,
    sse,
)
from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.behaviour import Behaviour
from loadtests.fake_upstream.call import Call, Endpoint
from loadtests.fake_upstream.errors import Refused, error_object
from loadtests.fake_upstream.passthrough import Head
from loadtests.fake_upstream.record import Record, Seen
from loadtests.fake_upstream.slots import Slots
from loadtests.fake_upstream.wire import ClientLeft, Exchange, Header, Receive, Send

_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {
        "/v1/chat/completions": chat.ENDPOINT,
        "/v1/completions": completions.ENDPOINT,
        "/v1/embeddings": embeddings.ENDPOINT,
        "/v1/responses": responses.ENDPOINT,
    }
)
_FAILURES = ("status", "die", "hang", "error_event", "malformed_sse", "no_done")


class FakeUpstream:
    """An ASGI application that answers like OpenAI; `record` tells what it saw.

    `slots`: calls of the OpenAI APIs that are answered at once, None for any number; up to
    `waiting` further ones wait for a slot, and all others get a 429.
    """

    def __init__(
        self,
        *,
        ttft_ms: float = 0.0,
        tpot_ms: float = 0.0,
        tokens: int = 40,
        keep_requests: bool = True,
        slots: int | None = None,
        waiting: int = 0,
    ) -> None:
        self.record = Record()
        self._slots = Slots(slots, waiting)
        self._ttft_ms = ttft_ms
        self._tpot_ms = tpot_ms
        self._tokens = tokens
        self._keep = keep_requests
        self._serials = count(1)
        self._attempts: Counter[str] = Counter()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        serial = next(self._serials)
        exchange = Exchange(receive, send, self.record, _common_headers(serial))
        try:
            await self._route(exchange, _head(scope), serial)
        except Refused as refusal:
            await exchange.json(refusal.status, refusal.payload)
        except ClientLeft:
            self.record.disconnects += 1
        finally:
            exchange.close()

    async def _route(self, exchange: Exchange, head: Head, serial: int) -> None:
        endpoint = _ENDPOINTS.get(head.path) if head.method == "POST" else None
        if head.path == "/healthz":
            await exchange.json(200, {"status": "ok"})
        elif head.path == "/calls":
            await exchange.json(200, dict(self.record.calls))
        elif endpoint is None:
            self._remember(head, f"{head.method} {head.path}", None)
            await self._pass_through(exchange, head)
        else:
            raw = b"".join(await exchange.chunks())
            body = _parse(raw)
            self._remember(head, endpoint.name, raw if body is None else body)
            await self._answer(exchange, endpoint, head, body, serial)

    async def _pass_through(self, exchange: Exchange, head: Head) -> None:
        _authenticate(head)
        wanted = _behaviour(head, {})
        if wanted.status:
            await exchange.chunks()
            await _refuse(exchange, wanted)
        else:
            await passthrough.serve(exchange, head)

    async def _answer(
        self, exchange: Exchange, endpoint: Endpoint, head: Head, body: Any, serial: int
    ) -> None:
        _authenticate(head)
        _validate(endpoint, body)
        wanted = _behaviour(head, body)
        salt = str(serial) if wanted.vary else ""
        answer = compose(body, wanted, tokens=self._tokens, salt=salt)
        wanted = self._settle(wanted, answer.digest)
        if wanted.delay:
            await exchange.wait(wanted.delay)
        if wanted.status:
            await _refuse(exchange, wanted)
        elif "before" in (wanted.die, wanted.hang):
            await exchange.fail(wanted)
        else:
            call = Call(body, wanted, answer, serial, int(time.time()))
            async with self._slots.taken(exchange):
                await self._reply(exchange, endpoint, call)

    async def _reply(self, exchange: Exchange, endpoint: Endpoint, call: Call) -> None:
        wanted = call.behaviour
        first = _seconds(wanted.ttft_ms, self._ttft_ms)
        pause = _seconds(wanted.tpot_ms, self._tpot_ms)
        if call.body.get("stream") and endpoint.stream is not None:
            frames = sse.disturb(endpoint.stream(call), wanted)
            if first:
                await exchange.wait(first)
            await exchange.stream(frames, wanted, pause)
            return
        took = first + pause * max(0, call.answer.completion_tokens - 1)
        if took:
            await exchange.wait(took)
        await exchange.answer(endpoint.plain(call), wanted)

    def _settle(self, wanted: Behaviour, digest: str) -> Behaviour:
        """Behave again once such a request has failed as often as it wanted to."""
        if not wanted.times:
            return wanted
        key = f"{digest} {wanted}"
        self._attempts[key] += 1
        if self._attempts[key] <= wanted.times:
            return wanted
        good = Behaviour()
        return replace(wanted, **{name: getattr(good, name) for name in _FAILURES})

    def _remember(self, head: Head, name: str, body: Any) -> None:
        self.record.calls[name] += 1
        if self._keep:
            self.record.requests.append(
                Seen(head.method, head.path, head.query, head.headers, body)
            )


def _head(scope: Mapping[str, Any]) -> Head:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Head(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers)


def _common_headers(serial: int) -> tuple[Header, ...]:
    """Return what OpenAI sends with every answer, `no-cache` included."""
    return (
        (b"x-request-id", b"req_%032x" % serial),
        (b"openai-processing-ms", b"1"),
        (b"openai-version", b"2020-10-01"),
        (b"cache-control", b"no-cache"),
        (b"x-ratelimit-limit-requests", b"10000"),
        (b"x-ratelimit-remaining-requests", b"9999"),
        (b"x-ratelimit-reset-requests", b"6ms"),
    )


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _authenticate(head: Head) -> None:
    """Take any credential but one that calls itself invalid."""
    if head.headers.get("authorization", "").startswith("Bearer invalid"):
        raise Refused(401, "Incorrect API key provided.")


def _behaviour(head: Head, body: Mapping[str, Any]) -> Behaviour:
    directives = head.headers.get("x-fake") or str(body.get("x_fake", ""))
    try:
        return behaviour.parse(directives)
    except ValueError as error:
        raise Refused(400, str(error), "x-fake") from error


def _validate(endpoint: Endpoint, body: Any) -> None:
    """Refuse a body that OpenAI would refuse, naming the field."""
    if not isinstance(body, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    for name, kinds in endpoint.required.items():
        if name not in body:
            raise Refused(400, f"Missing required parameter: '{name}'.", name)
        if not isinstance(body[name], kinds) or not body[name]:
            raise Refused(400, f"Invalid type or empty value for '{name}'.", name)
    if body["model"].startswith("missing"):
        raise Refused(404, f"The model '{body['model']}' does not exist.", "model")


async def _refuse(exchange: Exchange, wanted: Behaviour) -> None:
    after: list[Header] = []
    if wanted.retry_after:
        after = [(b"retry-after", wanted.retry_after.encode())]
    message = f"The fake server answers {wanted.status} on request."
    await exchange.json(wanted.status, error_object(wanted.status, message), *after)


def _seconds(wanted_ms: float, default_ms: float) -> float:
    return (default_ms if wanted_ms < 0 else wanted_ms) / 1000


async def _lifespan(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})
