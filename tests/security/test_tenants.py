"""A million times somebody asks for what somebody else's request has stored, and gets nothing.

Everyone who can be told apart stores answers: chat completions, which the semantic tier finds too,
and embeddings. Then everyone asks everyone else's questions, word by word, as a stream, and in
other words, with a threshold of 0, so that whatever can be reached is served. `only-if-cached`
makes the answer say whether anything was.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from cachemw.endpoints.base import Endpoint
from cachemw.endpoints.table import endpoints
from cachemw.http.messages import Header, HttpRequest, Reply, by_name
from cachemw.identity.caller import Caller
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from tests.support.principals import BothIdentities, Principal, principals
from tests.support.service import (
    Assembled,
    EchoUpstream,
    Parts,
    WordEmbedder,
    assembled,
    chat,
)

PEOPLE = 501  # who ask each other four times: 501 x 500 x 4 = 1 002 000
THROUGH_ASGI = 20_000
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
_ONLY_STORED: Header = (b"cache-control", b"only-if-cached")
_EMBEDDING = {"object": "list", "data": [{"index": 0, "embedding": [0.5]}], "model": "m"}


class Upstream(EchoUpstream):
    """Answers embeddings too."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Answer, and remember nothing: there are many."""
        self.reply = None
        if request.path == EMBEDDINGS:
            self.reply = (200, b"application/json", [json.dumps(_EMBEDDING).encode()])
        return await super().send(request)


@dataclass(frozen=True)
class Question:
    """A way to ask for what one principal has stored."""

    name: str
    path: str
    body: bytes


def _questions(number: int) -> list[Question]:
    """Return what finds the entries of a principal: the first and the last are stored."""
    system = f"You are the assistant of {number}."
    return [
        Question("exact", CHAT, _chat(f"secret{number} of mine", system)),
        Question("streamed", CHAT, _chat(f"secret{number} of mine", system, stream=True)),
        Question("semantic", CHAT, _chat(f"secret{number} in other words", system)),
        Question("embedding", EMBEDDINGS, _json({"model": "m", "input": f"secret{number}"})),
    ]


def _chat(text: str, system: str, **more: Any) -> bytes:
    body = chat(text, **more)
    return _json(body | {"messages": [{"role": "system", "content": system}, *body["messages"]]})


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


class World:
    """A service in which everyone has stored something."""

    def __init__(self, service: Assembled, people: list[Principal]) -> None:
        self._service = service
        self._endpoints = endpoints()
        self.people = people
        self._questions = [_questions(number) for number in range(len(people))]
        self._headers = [(list(p.headers), [*p.headers, _ONLY_STORED]) for p in people]

    async def store(self) -> None:
        """Have everyone ask their own questions, which nobody has asked before."""
        for number in range(len(self.people)):
            for question in (self._questions[number][0], self._questions[number][3]):
                reply = await self._ask(self._headers[number][0], question)
                assert reply.status == 200
                assert any(b"stored" in v for k, v in reply.headers if k == b"cache-status")
            # To the end of what goes into the index: embeddings follow the replies, and those that
            # find too many waiting are not made.
            await self._service.flights.drain(60.0)

    async def found(self, who: int, whose: int) -> Counter[str]:
        """Ask, as one, all questions of another; returns which of them were answered."""
        served: Counter[str] = Counter()
        headers = self._headers[who][1]
        for question in self._questions[whose]:
            reply = await self._ask(headers, question)
            if reply.status == 200:
                served[question.name] += 1
            else:
                assert reply.layer == "refused", reply.body
        return served

    async def _ask(self, headers: list[Header], question: Question) -> Reply:
        never = asyncio.get_running_loop().create_future()
        pending = [{"type": "http.request", "body": question.body}]

        async def receive() -> MutableMapping[str, Any]:
            return pending.pop() if pending else await never

        # As the surface has it from the ASGI server: without what sends and measures the reply,
        # which is most of the time.
        listed = list(headers)
        request = HttpRequest("POST", question.path, b"", listed, by_name(listed), receive)
        endpoint: Endpoint = self._endpoints[question.path]
        reply = await self._service.surface._reply(request, endpoint)
        if reply.stream is not None:
            await reply.stream.aclose()
        return reply


@asynccontextmanager
async def world(people: int, *, isolation: bool = True) -> AsyncIterator[World]:
    parts = Parts(
        embedder=WordEmbedder(),
        embed_timeout=20.0,
        threshold=0.0,
        upstream=Upstream(),
        identity=BothIdentities(isolation=isolation),
    )
    async with assembled(parts) as service:
        made = World(service, principals(people))
        assert len(made.people) == people
        await made.store()
        yield made


async def _everyone_asks_everyone(made: World) -> tuple[int, Counter[str]]:
    """Return how often was asked, and what was served of somebody else's."""
    asked, served = 0, Counter[str]()
    for who in range(len(made.people)):
        for whose in range(len(made.people)):
            if who != whose:
                served += await made.found(who, whose)
                asked += 4
    return asked, served


@pytest.mark.timeout(1200)
async def test_a_million_probes_find_nothing() -> None:
    async with world(PEOPLE) as made:
        for who in range(PEOPLE):  # everything is there, and everyone finds their own
            assert sum((await made.found(who, who)).values()) == 4
        asked, served = await _everyone_asks_everyone(made)
    assert asked >= 1_000_000
    assert not served


async def test_without_isolation_the_same_probes_find_everything() -> None:
    """The probes can see: what keeps tenants apart is what they test."""
    async with world(120, isolation=False) as made:
        _, served = await _everyone_asks_everyone(made)
    # Scopes keep narrowing: of those with the same one, each finds the others' entries.
    assert all(served[way] > 300 for way in ("exact", "streamed", "semantic", "embedding"))


async def test_a_scope_that_was_not_heard_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Caller, "scoped", lambda self, scope: self.tenant)
    async with world(60) as made:
        _, served = await _everyone_asks_everyone(made)
    assert served["exact"] > 100


async def test_through_the_whole_application_each_is_served_their_own() -> None:
    """All have the same prompt here, so that everyone has something near to each question."""
    rng = Random(20261123)
    people = principals(100)
    identity = BothIdentities(isolation=True)
    parts = Parts(embedder=WordEmbedder(), embed_timeout=20.0, threshold=0.0, identity=identity)
    own: Counter[str] = Counter()
    async with assembled(parts) as service:
        for number, who in enumerate(people):
            reply = await _said(service, f"word of {_name(number)}.", who.headers)
            assert reply.stored
        await service.flights.drain(60.0)
        for _ in range(THROUGH_ASGI):
            asker, asked = rng.randrange(100), rng.randrange(100)
            headers = (*people[asker].headers, _ONLY_STORED)
            reply = await _said(service, f"word of {_name(asked)}.", headers)
            assert reply.status == 200
            assert f"word of {_name(asker)}." in reply.json()["choices"][0]["message"]["content"]
            own[reply.layer] += 1
    assert own["semantic"] > THROUGH_ASGI // 2
    assert own["exact"] > 0


def _name(number: int) -> str:
    """Return a word of its own: questions that differ in a number alone are kept apart."""
    return "q" + "".join(chr(ord("k") + int(digit)) for digit in f"{number:02}")


async def _said(service: Assembled, text: str, headers: tuple[Header, ...]) -> Any:
    # Without the client's own credential.
    return await _bare(service).start("POST", CHAT, _json(chat(text)), list(headers)).done()


def _bare(service: Assembled) -> Any:
    return type(service.client)(service.surface)
