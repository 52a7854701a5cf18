"""Checks in the running service: what a served hit, and one that was not served, come to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.asgi import AsgiReply
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

SAID = "3 + 4 = 7 eggs"
FRESH = [(SAID, "same"), ("3 + 5 = 8 eggs", "different")]


@asynccontextmanager
async def checked(credentials: str) -> AsyncIterator[Assembled]:
    """Yield the service with every semantic hit checked, and one answer that may be hit."""
    shadow = {"share": 1.0, "dense": 100, "credentials": credentials}
    parts = Parts(embedder=WordEmbedder(), config={"shadow": shadow})
    async with assembled(parts) as service:
        _says(service.upstream, SAID)
        await service.client.ask(chat("eggs in all?"))
        await service.settled()  # its place in the index comes after its reply
        yield service


def _says(upstream: EchoUpstream, text: str, *, stream: bool = False) -> None:
    if stream:
        upstream.reply = (200, b"text/event-stream", stream_of(text))
    else:
        upstream.reply = (200, b"application/json", [json.dumps(plain_of(text)).encode()])


async def _asked(service: Assembled, *, stream: bool = False, **headers: Any) -> AsgiReply:
    reply = await service.client.ask(chat("eggs in total?", stream=stream), **headers)
    await service.settled()
    await service.learning.learner.step()
    return reply


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fresh", "outcome"), FRESH)
async def test_a_hit_is_checked(stream: bool, fresh: str, outcome: str) -> None:
    """The call of a miss, behind the back of a hit that was served."""
    async with checked("any") as service:
        _says(service.upstream, fresh, stream=stream)
        saved = service.metric("saved_tokens_total", kind="completion")
        hit = await _asked(service, stream=stream)
        assert (hit.layer, text_of(hit.body)) == ("semantic", SAID)
        assert service.metric("checks_total", source="shadow", outcome=outcome) == 1
        verdict = "right" if outcome == "same" else "wrong"
        assert service.metric("labels_total", source="shadow", verdict=verdict) == 1
        # It has come back from the store, where labels of all processes meet.
        estimate = service.categories.standing("default").estimate
        assert (estimate.labels, estimate.errors) == (1, outcome == "different")
        # It went upstream with what the client sent, and is no answer that was saved twice.
        calls = service.upstream.calls
        assert len(calls) == 2
        assert (b"authorization", b"Bearer sk-alice") in calls[1].headers
        assert service.metric("saved_tokens_total", kind="completion") == saved + 5
        # The fresh answer is stored under the asker's own key, and what was wrong is gone.
        again = await _asked(service)
        assert (again.layer, text_of(again.body)) == ("exact", fresh)
        served = await service.store.get(bytes.fromhex(hit.header("x-cachemw-entry")))
        assert (served is None) == (outcome == "different")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fresh", "outcome"), FRESH)
async def test_where_the_client_pays_a_hit_is_asked_anew_and_compared(
    stream: bool, fresh: str, outcome: str
) -> None:
    """Its one call is the answer that it gets: it pays for none that it does not."""
    async with checked("withhold") as service:
        _says(service.upstream, fresh, stream=stream)
        reply = await _asked(service, stream=stream, x_cachemw_explain="1")
        assert (reply.layer, text_of(reply.body)) == ("upstream", fresh)
        assert "outcome=served" in reply.header("x-cachemw-decision")
        assert "withheld=to_check" in reply.header("x-cachemw-decision")
        assert len(service.upstream.calls) == 2
        assert service.metric("checks_total", source="miss", outcome=outcome) == 1
        estimate = service.categories.standing("default").estimate
        assert (estimate.labels, estimate.errors) == (1, outcome == "different")


@pytest.mark.parametrize("directive", ["no-store", "only-if-cached"])
async def test_what_the_client_forbids_is_not_asked_anew(directive: str) -> None:
    async with checked("withhold") as service:
        reply = await _asked(service, cache_control=directive)
        assert (reply.layer, text_of(reply.body)) == ("semantic", SAID)
        assert len(service.upstream.calls) == 1


async def test_with_a_share_of_nothing_nothing_is_checked() -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        await service.client.ask(chat("eggs in all?"))
        await service.settled()
        assert (await _asked(service)).layer == "semantic"
        assert len(service.upstream.calls) == 1
        assert service.metric("checks_total", source="shadow", outcome="same") == 0
