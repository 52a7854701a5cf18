"""Straight to the upstream: requests that the cache has no part in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cachemw.ask import Ask
from cachemw.explain import explained
from cachemw.http.messages import Header, HttpRequest, Reply
from cachemw.identity.meter import metered
from cachemw.metrics import Metrics
from cachemw.send import Sender
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.headers import to_client, to_upstream
from cachemw.upstreams.router import Router

_PASSTHROUGH = "passthrough"  # has no model to be counted under
_BYPASS: Header = (b"cache-status", b"cachemw; fwd=bypass")
_LAYER: Header = (b"x-cachemw-layer", b"upstream")


class Forwarder:
    """Passes requests on, both bodies streamed as they come."""

    def __init__(self, router: Router, sender: Sender, metrics: Metrics) -> None:
        self._router = router
        self._sender = sender
        self._metrics = metrics

    async def bypass(self, ask: Ask) -> Reply:
        """Forward a request to a cached endpoint that is not to be cached."""
        sent = await ask.request.unless_gone(self._sender.send(ask, as_asked=True))
        with sent.call:
            reply = sent.reply
        content_type = (b"content-type", reply.header(b"content-type") or b"application/json")
        headers = [*sent.client_headers(), content_type, *explained(ask), _LAYER, _BYPASS]
        return _streamed(reply, headers)

    async def passthrough(self, request: HttpRequest) -> Reply:
        """Forward any other path, bytes and headers as they are, to the first upstream."""
        upstream: Upstream = self._router.backends[0].upstream
        has_body = (
            request.headers.get(b"content-length", b"0") != b"0"
            or b"transfer-encoding" in request.headers
        )
        body: bytes | AsyncIterator[bytes] = b""
        if has_body:
            body = request.body_chunks()
        else:
            await request.body(0)
        call = UpstreamRequest(
            request.method,
            request.path,
            request.query,
            to_upstream(request.header_list, rewritten=False),
            body,
            raw=True,
            model=_PASSTHROUGH,
        )
        with self._metrics.upstream_call(_PASSTHROUGH) as note:
            reply = await request.unless_gone(upstream.send(call))
            note(str(reply.status))
        reply = metered(call, reply, request.caller)
        headers = to_client(reply.headers, rewritten=False)
        return _streamed(reply, [*headers, _LAYER, _BYPASS])


def _streamed(reply: UpstreamReply, headers: list[Header]) -> Reply:
    # A client that leaves before the body was begun must not keep its connection.
    return Reply(reply.status, headers, stream=reply.chunks, close=reply.abandon)
