"""`GET /v1/models`: one upstream speaks for itself, several are merged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cachemw_policies.load import LoadSettings

from cachemw.errors import UpstreamUnavailable
from cachemw.forward import Forwarder
from cachemw.http.messages import HttpRequest, Reply
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from cachemw.models import ModelList
from cachemw.send import Sender
from cachemw.upstreams.router import Backend, Router
from tests.support.service import Clock, EchoUpstream


def listing(name: str, *models: str) -> EchoUpstream:
    upstream = EchoUpstream()
    upstream.name = name
    body = {"object": "list", "data": [{"id": model, "object": "model"} for model in models]}
    upstream.reply = (200, b"application/json", [json.dumps(body).encode()])
    return upstream


def request() -> HttpRequest:
    sent = iter([True])

    async def receive() -> dict[str, Any]:
        if not next(sent, False):
            await asyncio.Event().wait()  # the client stays
        return {"type": "http.request", "body": b"", "more_body": False}

    return HttpRequest("GET", "/v1/models", b"", [], {}, receive)


def forwarder(router: Router) -> Forwarder:
    metrics = Metrics()
    return Forwarder(
        router, Sender(router, UpstreamLoad(metrics, Clock(), LoadSettings())), metrics
    )


async def listed(*backends: Backend) -> Any:
    router = Router(backends)
    reply = await ModelList(router, forwarder(router)).reply(request())
    return json.loads(await _body(reply))


async def _body(reply: Reply) -> bytes:
    if reply.stream is None:
        return reply.body
    stream: AsyncIterator[bytes] = reply.stream
    return b"".join([chunk async for chunk in stream])


def ids(body: Any) -> set[str]:
    return {model["id"] for model in body["data"]}


async def test_one_upstream_answers_for_itself() -> None:
    upstream = listing("a", "x", "y")
    upstream.reply = (403, b"application/json", [b'{"error": "as it is"}'])
    assert await listed(Backend(upstream)) == {"error": "as it is"}


async def test_several_are_merged_with_the_names_that_are_configured() -> None:
    body = await listed(
        Backend(listing("a", "x", "y")),
        Backend(listing("b", "y", "hidden", "z"), models=("z",), aliases={"alias": "z"}),
    )
    assert ids(body) == {"x", "y", "z", "alias"}
    assert body["object"] == "list"


async def test_one_that_is_away_does_not_hide_the_others() -> None:
    away = listing("b")
    away.failure = UpstreamUnavailable("refused")
    assert ids(await listed(Backend(listing("a", "x")), Backend(away, models=("z",)))) == {"x", "z"}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"data": 1}', b'{"data": [1, {"id": 2}]}'])
async def test_a_list_of_a_strange_shape_does_not_hide_the_others(body: bytes) -> None:
    strange = listing("b")
    strange.reply = (200, b"application/json", [body])
    assert ids(await listed(Backend(listing("a", "x")), Backend(strange))) == {"x"}


async def test_none_can_say() -> None:
    away = [listing("a"), listing("b")]
    for upstream in away:
        upstream.failure = UpstreamUnavailable("refused")
    with pytest.raises(UpstreamUnavailable):
        await listed(*(Backend(upstream) for upstream in away))
