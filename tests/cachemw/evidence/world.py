"""A store, a label book and the feedback endpoint on them."""

from __future__ import annotations

from collections.abc import MutableMapping
from itertools import count
from typing import Any

import orjson
import pytest
from cachemw_policies.labels import Label, Source

from cachemw.errors import (
    HttpError,
    StoreUnavailable,
)
from cachemw.evidence.book import LabelBook
from cachemw.evidence.feedback import Feedback
from cachemw.http.messages import HttpRequest, by_name
from cachemw.identity.caller import Caller
from cachemw.states import DependencyState
from cachemw.stores.base import Document
from cachemw.stores.evidence import EvidenceBounds, Served
from cachemw.stores.memory import MemoryStore

NOW = 1_795_000_000.0
_NAMES = count()
KEY = bytes(range(32))
ALICE, BOB = Caller("name:alice"), Caller("name:bob")
HIT = Served("chatcmpl-1", KEY, ALICE.tenant, "faq", 0.9, "verifier-1", NOW)
LABEL = Label("faq", 0.9, True, Source.FEEDBACK, "verifier-1", NOW)


def document(tenant: str = ALICE.tenant, created_at: float = NOW - 60) -> Document:
    return Document(
        key=KEY,
        tenant=tenant,
        endpoint="chat.completions",
        model="m",
        created_at=created_at,
        expires_at=NOW + 3600,
        prompt="q",
        body=b"{}",
        upstream_seconds=1.0,
        prompt_tokens=1,
        completion_tokens=1,
    )


class World:
    """A store, a book and the endpoint on it."""

    def __init__(self, settle_s: float = 0.0) -> None:
        self.store = MemoryStore(lambda: NOW, 1 << 20)
        self.evidence = self.store.evidence(EvidenceBounds())
        self.labels: list[Label] = []
        self.book = self.another_book()
        self.verdicts: list[str] = []
        self.away = False
        self.feedback = Feedback(
            self.book,
            self.store,
            self._remove,
            clock=lambda: NOW,
            on_verdict=self.verdicts.append,
            settle_s=settle_s,
        )

    def another_book(self) -> LabelBook:
        return LabelBook(
            self.evidence,
            DependencyState("evidence"),
            self.labels.append,
            on_anew=lambda: None,
            on_dropped=lambda _: None,
            unique=lambda: b"%d" % next(_NAMES),
        )

    async def _remove(self, key: bytes) -> bool:
        if self.away:
            raise StoreUnavailable
        return await self.store.delete(key)

    async def learnt(self) -> list[Label]:
        """Return the labels that came of it."""
        await self.book.step()
        return self.labels

    async def say(self, body: Any, caller: Caller = ALICE, **headers: str) -> Any:
        """Return the answer to a body, as JSON where it is not bytes already."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        reply = await self.feedback.reply(request(data, caller, **headers))
        assert reply.status == 200
        assert (b"cache-control", b"no-store") in reply.headers
        return orjson.loads(reply.body)


def request(
    body: bytes, caller: Caller = ALICE, method: str = "POST", **headers: str
) -> HttpRequest:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body}

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    path = "/cache/feedback"
    return HttpRequest(method, path, b"", pairs, by_name(pairs), receive, caller)


def hit(**score: float) -> dict[str, Any]:
    """Return what a client says of HIT."""
    return {"id": HIT.answer_id, **score}


async def refusal(world: World, body: Any, caller: Caller, **headers: str) -> bytes:
    """Return all that is said in a refusal."""
    with pytest.raises(HttpError) as raised:
        await world.say(body, caller, **headers)
    return b"%d %s %r" % (raised.value.status, raised.value.body(), raised.value.headers)
