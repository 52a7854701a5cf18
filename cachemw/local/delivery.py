"""From the scheduler to the client: events as they come, or one body at the end.

Both stop the generations when the client hangs up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cachemw.errors import HttpError
from cachemw.local.generate import Delta
from cachemw.local.scheduler import Ticket
from cachemw.local.shapes import Json, Outcome, Shape, usage


class EventStream(StreamingResponse):
    """Server-sent events of a streamed response.

    However it ends, the generations stop: also when the client is gone before the first event,
    in which case the event generator, never begun, would not run a `finally` of its own.
    """

    def __init__(
        self, ticket: Ticket[Delta], shape: Shape, choices: int, prompt_tokens: int
    ) -> None:
        events = _events(ticket, shape, choices, prompt_tokens)
        super().__init__(events, media_type="text/event-stream")
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; the ASGI entry point."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ticket.cancel()


async def _events(
    ticket: Ticket[Delta], shape: Shape, choices: int, prompt_tokens: int
) -> AsyncIterator[bytes]:
    produced = [0] * choices
    try:
        for index in range(choices):
            opening = shape.opening(index)
            if opening is not None:
                yield _event(opening)
        async for index, delta in ticket:
            produced[index] = delta.produced
            for chunk in shape.pieces(index, delta):
                yield _event(chunk)
        if shape.include_usage:
            yield _event(shape.chunk([], usage(prompt_tokens, sum(produced))))
        yield b"data: [DONE]\n\n"
    except HttpError as error:
        # The status line is out already: OpenAI's clients raise on an `error` event.
        yield b"data: " + error.body() + b"\n\n"


async def collect(ticket: Ticket[Delta], outcomes: Sequence[Outcome], request: Request) -> bool:
    """Fill `outcomes`; return False, with the generations stopped, when the client hangs up."""

    async def read() -> None:
        async for index, delta in ticket:
            outcomes[index].add(delta)

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    reading = asyncio.create_task(read())
    watching = asyncio.create_task(hang_up())
    try:
        await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            return False
        reading.result()  # raises what the generation raised
        return True
    finally:
        ticket.cancel()
        for task in (reading, watching):
            task.cancel()
        # Only so that both are over: what mattered of their outcome was read above.
        await asyncio.gather(reading, watching, return_exceptions=True)


def _event(body: Json) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def json_response(body: Json) -> Response:
    """Return a 200 with `body` as JSON."""
    return Response(orjson.dumps(body), media_type="application/json")
