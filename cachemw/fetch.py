"""The upstream side of a flight: send, pass on as it arrives, collect, hand over for storing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import orjson

from cachemw.ask import Ask
from cachemw.endpoints.base import Collector, Json
from cachemw.errors import UpstreamBroken
from cachemw.flight import Flight, FlightHead, Piece
from cachemw.http.sse import SseEvent, SseSplitter
from cachemw.keep import Fetched, Keeper
from cachemw.send import Sender, Sent

OnAnswer = Callable[[Ask, Fetched], None]


class Fetcher:
    """Makes the upstream call of a flight and fills the flight with what comes."""

    def __init__(
        self,
        sender: Sender,
        keeper: Keeper,
        on_answer: OnAnswer,
        *,
        max_event_bytes: int,
    ) -> None:
        """Fetch; `on_answer` hears of what the model that was asked for has answered."""
        self._sender = sender
        self._keeper = keeper
        self._on_answer = on_answer
        self._max_event_bytes = max_event_bytes

    async def fetch(self, ask: Ask, flight: Flight) -> None:
        """Run the call to its end, whoever still listens. Raises UpstreamError.

        From the reply on the ask is that of the route which gave it: a fallback's answer is stored
        as its own.
        """
        sent = await self._sender.send(ask)
        with sent.call:
            answer = await self._tee(sent, flight)
        flight.finish(answer)
        fetched = Fetched(sent.reply.status, answer, sent.call.seconds)
        await self._keeper.keep(sent.ask, fetched, flight.mark_stored)
        if answer is not None and not sent.rerouted:
            self._on_answer(sent.ask, fetched)

    async def _tee(self, sent: Sent, flight: Flight) -> Json | None:
        reply = sent.reply
        content_type = reply.header(b"content-type")
        is_stream = content_type.lower().startswith(b"text/event-stream")
        async with aclosing(reply.chunks) as chunks:
            flight.begin(
                FlightHead(
                    reply.status,
                    sent.client_headers(),
                    content_type,
                    is_stream,
                    sent.ask.key,
                    sent.ask.route.model,
                )
            )
            if is_stream:
                return await self._tee_events(sent, chunks, flight)
            return await _tee_body(reply.status, chunks, flight)

    async def _tee_events(
        self, sent: Sent, chunks: AsyncIterator[bytes], flight: Flight
    ) -> Json | None:
        ask = sent.ask
        splitter = SseSplitter()
        collecting = _Collecting(ask.endpoint.collector(ask.params))
        async for chunk in chunks:
            sent.first_token()
            for event in splitter.feed(chunk):
                await flight.append(collecting.take(event))
                # The readers go first: the rest of a burst must not hold up its first token.
                await asyncio.sleep(0)
            if splitter.pending > self._max_event_bytes:
                raise UpstreamBroken("The upstream sent an event that does not end.")
        if (rest := splitter.flush()) is not None:
            await flight.append(collecting.take(rest))
        if flight.sealed:
            return None
        answer = collecting.answer()
        if answer is None and not collecting.ended:
            raise UpstreamBroken("The upstream ended its stream before the answer was complete.")
        if ask.endpoint.ends_with_done and not collecting.done and not (answer or {}).get("usage"):
            return None  # finished by its finish reasons, but cut before what follows them
        return answer


class _Collecting:
    """Feeds a collector with events; what cannot be read spoils the collection, not the stream."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._malformed = False
        self.done = False

    @property
    def spoilt(self) -> bool:
        """Whether the stream itself said or showed that there is no answer to keep."""
        return self._malformed or self._collector.broken

    @property
    def ended(self) -> bool:
        """Whether the stream said that it was whole, even if that cannot be kept."""
        return self.done or self.spoilt

    def take(self, event: SseEvent) -> Piece:
        self.done = self.done or event.is_done
        if not event.data or event.is_done:
            return Piece(event.raw)
        try:
            data = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            self._malformed = True
            return Piece(event.raw)
        try:
            self._collector.feed(event.name, data)
        except Exception:  # noqa: BLE001 - of a shape that nobody foresaw: passed on, not kept
            self._malformed = True
        return Piece(event.raw, only_usage=data.get("choices") == [] and bool(data.get("usage")))

    def answer(self) -> Json | None:
        try:
            return None if self.spoilt else self._collector.answer()
        except Exception:  # noqa: BLE001 - as in take
            self._malformed = True
            return None


async def _tee_body(status: int, chunks: AsyncIterator[bytes], flight: Flight) -> Json | None:
    async for chunk in chunks:
        await flight.append(Piece(chunk))
    if flight.sealed or not 200 <= status < 300:
        return None
    try:
        answer = orjson.loads(b"".join(piece.data for piece in flight.pieces))
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None
