"""Sending a request to its upstream, and where that fails to its fallbacks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import orjson
from cachemw_policies.retry import TRANSIENT_STATUSES

from cachemw.ask import Ask
from cachemw.errors import UpstreamError, UpstreamOpen, UpstreamTimeout, UpstreamUnavailable
from cachemw.http.messages import Header
from cachemw.identity.meter import metered
from cachemw.keys import compatibility_key, exact_key
from cachemw.load import ModelCall, UpstreamLoad
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from cachemw.upstreams.headers import to_another, to_client, to_upstream
from cachemw.upstreams.router import Route, Router


@dataclass(slots=True)
class Sent:
    """A reply, the ask as that of the route which gave it, and the call, still under way."""

    ask: Ask
    reply: UpstreamReply
    call: ModelCall
    rerouted: bool = False

    def client_headers(self) -> list[Header]:
        """Return the reply's headers as the client may see them.

        A fallback's cookies would come back to the first upstream.
        """
        headers = to_client(self.reply.headers, rewritten=True)
        return [h for h in headers if h[0] != b"set-cookie"] if self.rerouted else headers

    def first_token(self) -> None:
        """Note that a part of a stream has come; the waits between calls are no load figure."""
        if self.reply.calls == 1:
            self.call.first_token()


class Sender:
    """Makes the upstream call of an ask."""

    def __init__(self, router: Router, load: UpstreamLoad) -> None:
        self._router = router
        self._load = load

    async def send(self, ask: Ask, *, as_asked: bool = False) -> Sent:
        """Return once the head of a reply is there. Raises UpstreamError.

        The fallbacks are asked in order where an upstream is away, silent, overloaded or left
        alone; what the client did wrong it hears from the first. A reply that nobody could better
        is the last one's. All of them share the first one's total time limit.
        """
        if not ask.route.backend.fallbacks:
            return await self._send(ask, outgoing(ask, as_asked=as_asked))
        return await self._send_or_fall_back(ask, as_asked=as_asked)

    async def _send_or_fall_back(self, ask: Ask, *, as_asked: bool) -> Sent:
        first, here = ask.route, ask
        now = asyncio.get_running_loop().time()
        deadline = now + first.backend.upstream.total_seconds
        request = replace(outgoing(ask, as_asked=as_asked), deadline=deadline)
        retried = False
        for route in self._router.fallbacks(first):
            try:
                sent = await self._send(here, request)
            except (UpstreamUnavailable, UpstreamTimeout, UpstreamOpen) as error:
                retried = retried or error.retried
            else:
                if sent.reply.status not in TRANSIENT_STATUSES:
                    return replace(sent, rerouted=here is not ask)
                retried = retried or sent.reply.calls > 1
                _give_up(sent)
            self._load.fell_back(here.route.model, route.model)
            here = rerouted(ask, route)
            request = elsewhere(outgoing(here, as_asked=as_asked), first, route)
            request = replace(request, deadline=deadline)
        return await self._last(here, request, retried=retried)

    async def _last(self, ask: Ask, request: UpstreamRequest, *, retried: bool) -> Sent:
        """Ask the last of several; `retried` where one of the others was asked more than once."""
        try:
            sent = await self._send(ask, request)
        except UpstreamError as error:
            if retried:
                error.forbid_retry()
            raise
        if retried and sent.reply.status in TRANSIENT_STATUSES:
            sent = replace(sent, reply=sent.reply.final())
        return replace(sent, rerouted=True)

    async def _send(self, ask: Ask, request: UpstreamRequest) -> Sent:
        call = self._load.call(ask.route.model)
        try:
            reply = await ask.route.backend.upstream.send(request)
        except BaseException as error:
            call.__exit__(type(error), error, None)
            raise
        call.status = str(reply.status)
        return Sent(ask, metered(request, reply, ask.request.caller), call)


def _give_up(sent: Sent) -> None:
    sent.reply.abandon()
    with sent.call:
        pass  # it ends here, under its own status


def rerouted(ask: Ask, route: Route) -> Ask:
    """Return the ask as if it had been for the route: what is stored of it is found there alone."""
    scope = ask.scope._replace(upstream=route.backend.upstream.name, model=route.model)
    key = exact_key(scope, ask.params, ask.endpoint.ignored)
    asked = ask.asked
    question = None if asked is None else ask.endpoint.question(ask.params)
    if asked is not None and question is not None:
        partition = compatibility_key(scope, question.params_without, ask.endpoint.ignored)
        asked = replace(asked, partition=partition)
    return replace(ask, route=route, scope=scope, key=key, asked=asked)


def elsewhere(request: UpstreamRequest, first: Route, route: Route) -> UpstreamRequest:
    """Return the request as a fallback may see it.

    The client's credential belongs to the upstream that it was sent for. It goes no further than
    to the same origin; another gets its own configured key or none.
    """
    if route.backend.upstream.origin == first.backend.upstream.origin:
        return request
    return replace(request, headers=to_another(request.headers))


def outgoing(ask: Ask, *, as_asked: bool = False) -> UpstreamRequest:
    """Return the call to make; `as_asked` adds nothing to what the client wrote.

    The body is written anew from what the key was made of: of two equal names in one object the
    upstream could otherwise read the one that we did not.
    """
    params = {**ask.params, "model": ask.route.model}
    asks_usage = ask.endpoint.usage_on_request and ask.route.backend.ask_usage
    if ask.stream and asks_usage and not as_asked:
        options = params.get("stream_options") or {}
        params["stream_options"] = {**options, "include_usage": True}
    headers = to_upstream(ask.request.header_list, rewritten=True)
    return UpstreamRequest(
        ask.request.method,
        ask.request.path,
        ask.request.query,
        headers,
        orjson.dumps(params),
        model=ask.route.model,
    )
