from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from cachemw.local.delivery import EventStream
from cachemw.local.generate import Delta
from cachemw.local.scheduler import Ticket
from cachemw.local.shapes import CompletionShape


async def test_a_client_gone_before_the_first_event_still_stops_the_generation() -> None:
    ticket: Ticket[Delta] = Ticket(1, asyncio.get_running_loop())
    shape = CompletionShape(id="cmpl-1", created=0, model="m")

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_: MutableMapping[str, Any]) -> None:
        raise OSError

    response = EventStream(ticket, shape, 1, prompt_tokens=1)
    with pytest.raises(BaseException):  # noqa: B017, PT011  whichever way starlette reports it
        await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    assert ticket.cancelled
