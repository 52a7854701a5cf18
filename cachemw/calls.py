"""The client side of a miss: lead a flight or join one, and read the reply out of it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial

from cachemw.ask import Ask
from cachemw.errors import HttpError, UpstreamBroken, UpstreamError
from cachemw.explain import explained
from cachemw.flight import Flight, FlightHead, FlightReader, Flights
from cachemw.http.messages import JSON_TYPE, SSE_TYPE, Header, Reply, Stream, header_value
from cachemw.metrics import Metrics
from cachemw.replay import Replayer, can_replay
from cachemw.shared import Call


@dataclass(frozen=True, slots=True)
class CallSettings:
    """Seconds.

    `max_wait`: how long a follower waits for the first byte of another's call before it makes its
    own. `commit_wait`: how long a plain reply may wait for the store's commit (0.2 ms as a rule),
    to be able to say truthfully that the answer is stored; storing goes on either way.
    """

    max_wait: float = 30.0
    commit_wait: float = 0.01


class Calls:
    """Answers misses."""

    def __init__(
        self,
        settings: CallSettings,
        flights: Flights,
        call: Call,
        replayer: Replayer,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._flights = flights
        self._call = call
        self._replayer = replayer
        self._metrics = metrics

    async def answer(self, ask: Ask) -> Reply:
        """Return the upstream's reply. Raises UpstreamError, ClientGone.

        A follower whose leader failed before it got anything takes over, once: of all followers
        the first leads and the others join it. What was made anew in vain already is shared.
        """
        reader = self._join(ask) or self._lead(ask)
        try:
            return await self._read(ask, reader)
        except (UpstreamError, TimeoutError) as error:
            if reader.leads or (isinstance(error, UpstreamError) and error.retried):
                raise
            self._metrics.takeovers.inc()
            late = isinstance(error, TimeoutError)
            return await self._read(ask, (None if late else self._join(ask)) or self._lead(ask))

    def begin(self, ask: Ask) -> FlightReader:
        """Make the call of a miss for nobody, or join it where it is under way."""
        return self._join(ask) or self._lead(ask)

    def _join(self, ask: Ask) -> FlightReader | None:
        reader = self._flights.join(_flight_key(ask)) if ask.directives.read else None
        if reader is not None:
            self._metrics.followers.inc()
        return reader

    def _lead(self, ask: Ask) -> FlightReader:
        key = _flight_key(ask) if ask.directives.read else None
        return self._flights.lead(key, partial(self._call.fetch, ask))

    async def _read(self, ask: Ask, reader: FlightReader) -> Reply:
        """Read a reply from the flight; the reader is closed with it, or at once on failure."""
        try:
            reply = await ask.request.unless_gone(self._reply(ask, reader))
        except BaseException:
            reader.close()
            raise
        reply.close = reader.close
        reply.category = ask.category
        return reply

    async def _reply(self, ask: Ask, reader: FlightReader) -> Reply:
        async with asyncio.timeout(None if reader.leads else self._settings.max_wait):
            head = await reader.head()
        if head.is_stream and ask.stream:
            return self._stream(ask, reader, head)
        await reader.settled()
        flight = reader.flight
        if flight.sealed:
            return self._large(ask, reader, head)
        if head.is_stream != ask.stream and self._can_change(ask, flight):
            return self._other_form(ask, reader, head)
        if head.is_stream != ask.stream and (head.is_stream or not reader.leads):
            raise UpstreamBroken("The shared answer cannot be given in the form asked for.")
        with suppress(TimeoutError):
            # Bounded, and over at once where nothing is stored: see CallSettings.
            async with asyncio.timeout(self._settings.commit_wait):
                await reader.stored()
        return Reply(head.status, _headers(ask, reader, head), reader.whole_body())

    def _stream(self, ask: Ask, reader: FlightReader, head: FlightHead) -> Reply:
        usage = ask.usage or not ask.endpoint.usage_on_request
        follow = reader.follow(usage=usage)
        return Reply(head.status, _headers(ask, reader, head), stream=_errors_as_events(follow))

    def _large(self, ask: Ask, reader: FlightReader, head: FlightHead) -> Reply:
        """Pass on an answer too large to keep, if it has the form that was asked for."""
        if head.is_stream != ask.stream:
            raise UpstreamBroken("The shared answer is too large to change its form.")
        follow = reader.follow(usage=True)
        return Reply(head.status, _headers(ask, reader, head), stream=follow)

    def _can_change(self, ask: Ask, flight: Flight) -> bool:
        answer = flight.answer
        return answer is not None and can_replay(ask.endpoint, ask.endpoint.pack(answer))

    def _other_form(self, ask: Ask, reader: FlightReader, head: FlightHead) -> Reply:
        """Turn a stream into a plain answer or the reverse: the flight's leader asked otherwise."""
        answer = reader.flight.answer or {}
        if ask.stream:
            stream = self._replayer.answer_events(ask, answer)
            return Reply(200, _headers(ask, reader, head, SSE_TYPE), stream=stream)
        body = self._replayer.answer_body(ask, answer)
        return Reply(200, _headers(ask, reader, head, JSON_TYPE), body)


def _flight_key(ask: Ask) -> bytes:
    # What one request wants stored another may have forbidden: they do not share a call.
    return ask.key + (b"+" if ask.directives.store else b"-")


def _headers(
    ask: Ask, reader: FlightReader, head: FlightHead, content_type: Header | None = None
) -> list[Header]:
    """Return the upstream's headers with ours; its content type where none is given.

    A cookie is for the client that made the call.
    """
    passed_on = (h for h in head.headers if reader.leads or h[0] != b"set-cookie")
    its_type = (b"content-type", head.content_type or JSON_TYPE[1])
    return [*passed_on, *_own_headers(ask, reader, head), content_type or its_type]


def _own_headers(ask: Ask, reader: FlightReader, head: FlightHead) -> list[Header]:
    status = [b"cachemw; fwd=miss" if ask.directives.read else b"cachemw; fwd=request"]
    headers = [
        (b"x-cachemw-layer", b"upstream"),
        (b"x-cachemw-category", header_value(ask.category)),
        *explained(ask),
    ]
    if reader.flight.stored:
        status.append(b"stored")
        headers.append((b"x-cachemw-entry", (head.key or ask.key).hex().encode()))
    if not reader.leads or reader.flight.collapsed:
        status.append(b"collapsed")
    model = str((reader.flight.answer or {}).get("model") or head.model or ask.route.model)
    headers.append((b"x-cachemw-model", header_value(model)))
    headers.append((b"cache-status", b"; ".join(status)))
    return headers


async def _errors_as_events(stream: Stream) -> Stream:
    """End a stream that broke with an error event, which the client libraries raise."""
    try:
        async with aclosing(stream):
            async for chunk in stream:
                yield chunk
    except HttpError as error:
        yield b"data: %s\n\n" % error.body()
