"""A shadow check in the running service: the call of a miss, behind the back of a served hit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from cachemw.ask import Ask
from cachemw.shadow.checks import CheckSettings, Circumstances, ShadowChecks
from cachemw.shadow.compare import Comparer
from cachemw.shadow.runner import Scored
from cachemw.stores.base import Document
from tests.support.checks import Noted
from tests.support.service import (
    Assembled,
    EchoUpstream,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    plain_of,
    stream_of,
    text_of,
)


class Checked:
    """The service with every semantic hit checked; what is wrong leaves the store."""

    def __init__(self, service: Assembled) -> None:
        self.service = service
        self.noted = Noted(comparer=Comparer())
        self.removed: list[Document] = []
        path: Any = getattr(service.surface._answer, "__self__")  # noqa: B009
        calls = path._calls
        self.checks = ShadowChecks(
            CheckSettings(),
            self.noted.runner,
            lambda ask: calls._join(ask) or calls._lead(ask),
            Circumstances(lambda _: 1.0, lambda _: 0.0, lambda _: True),
            self._remove,
            Random(1),
        )
        find = path._semantic.find

        async def found(ask: Ask) -> Any:
            hit = await find(ask)
            if hit is not None:
                scored = Scored(hit.resident.document, 0.99, "default", "cosine")
                self.checks.consider(ask, scored)
            return hit

        path._semantic.find = found

    async def _remove(self, document: Document) -> None:
        self.removed.append(document)
        await self.service.store.delete(document.key)


@asynccontextmanager
async def checked(upstream: EchoUpstream) -> AsyncIterator[Checked]:
    async with assembled(Parts(embedder=WordEmbedder(), upstream=upstream)) as service:
        yield Checked(service)


def _says(upstream: EchoUpstream, text: str, *, stream: bool = False) -> None:
    if stream:
        upstream.reply = (200, b"text/event-stream", stream_of(text))
    else:
        upstream.reply = (200, b"application/json", [json.dumps(plain_of(text)).encode()])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fresh", "outcome"), [("3 + 4 = 7 eggs", "same"), ("3 + 5 = 8 eggs", "different")]
)
async def test_a_hit_is_checked(stream: bool, fresh: str, outcome: str) -> None:
    upstream = EchoUpstream()
    async with checked(upstream) as world:
        client = world.service.client
        _says(upstream, "3 + 4 = 7 eggs")
        await client.ask(chat("eggs in all?"))
        await world.service.flights.drain(5.0)  # its place in the index comes after its reply
        _says(upstream, fresh, stream=stream)
        saved = world.service.metric("saved_tokens_total", kind="completion")
        hit = await client.ask(chat("eggs in total?", stream=stream))
        assert (hit.layer, text_of(hit.body)) == ("semantic", "3 + 4 = 7 eggs")
        await world.noted.runner.drain(5.0)
        await world.service.flights.drain(5.0)
        assert world.noted.counts == [outcome]
        assert [label.right for label in world.noted.labels] == [outcome == "same"]
        assert len(world.removed) == (outcome == "different")
        # It went upstream with what the client sent, and is no answer that was saved twice.
        assert len(upstream.calls) == 2
        assert (b"authorization", b"Bearer sk-alice") in upstream.calls[1].headers
        assert world.service.metric("saved_tokens_total", kind="completion") == saved + 5
        # The fresh answer is stored under the asker's own key.
        again = await client.ask(chat("eggs in total?"))
        assert (again.layer, text_of(again.body)) == ("exact", fresh)
