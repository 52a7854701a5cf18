"""Storing: the gates, what is written, and that it goes on beside the reply."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet

from cachemw.stores.base import Document, Vector
from cachemw.stores.memory import MemoryStore
from tests.support.asgi import AsgiClient, AsgiReply
from tests.support.service import (
    ADMIN_TOKEN,
    Assembled,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    plain_of,
    policy_set,
    stream_of,
)


async def stored(service: Assembled) -> list[Document]:
    """Return what the store holds once nothing is under way."""
    for _ in range(1000):
        if not len(service.flights):
            break
        await asyncio.sleep(0.005)
    assert isinstance(service.store, MemoryStore)
    return [entry.document for entry in service.store._entries.values()]


def _finish(reason: str | None) -> bytes:
    answer = plain_of("x")
    answer["choices"][0]["finish_reason"] = reason
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, _finish("stop"), None),
        (201, _finish("tool_calls"), None),
        (200, _finish("length"), "truncated"),
        (200, _finish("content_filter"), "blocked"),
        (200, _finish(None), "incomplete"),
        (200, b"not json", "incomplete"),
        (200, b"{}", "incomplete"),
        (404, _finish("stop"), "status"),
        (500, b"", "status"),
    ],
)
async def test_the_gates(status: int, body: bytes, reason: str | None) -> None:
    async with assembled(Parts()) as service:
        service.upstream.reply = (status, b"application/json", [body])
        reply = await service.client.ask(chat("hi"))
        assert (reply.status, reply.body) == (status, body)
        assert len(await stored(service)) == (reason is None)
        assert reply.stored == (reason is None)
        if reason is not None:
            assert service.metric("store_skipped_total", reason=reason) == 1


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({"cache_control": "no-store"}, "no_store"), ({"x_cachemw_ttl": "0"}, "ttl")],
)
async def test_what_the_client_forbids(headers: dict[str, Any], reason: str) -> None:
    async with assembled(Parts()) as service:
        await service.client.ask(chat("hi"), **headers)
        assert not await stored(service)
        assert service.metric("store_skipped_total", reason=reason) == 1


async def test_what_is_written() -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        await service.client.ask(chat("hi there"), x_cachemw_ttl="60", x_cachemw_tags="b,a")
        (document,) = await stored(service)
        assert (document.created_at, document.expires_at) == (1e6, 1e6 + 60)
        assert (document.prompt, document.model, document.tags) == ("hi there", "m", ("a", "b"))
        assert (document.prompt_tokens, document.completion_tokens) == (3, 5)
        assert document.embedded is not None
        assert document.embedded.fingerprint == WordEmbedder.fingerprint
        # What each replay gets anew is not part of it.
        assert not {"id", "created"} & set(json.loads(document.body))


async def test_a_client_cannot_lengthen_the_ttl() -> None:
    async with assembled(Parts()) as service:
        await service.client.ask(chat("hi"), x_cachemw_ttl="999999")
        (document,) = await stored(service)
        assert document.expires_at == 1e6 + 3600


class SlowEmbedder(WordEmbedder):
    """Embeds when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = threading.Event()

    def embed(self, texts: Sequence[str]) -> Vector:
        self.allowed.wait(20)
        return super().embed(texts)


async def test_an_embedding_that_is_late_follows_in_a_second_write() -> None:
    embedder = SlowEmbedder()
    async with assembled(Parts(embedder=embedder, embed_timeout=20.0)) as service:
        reply = await service.client.ask(chat("hi"))
        assert reply.stored
        assert isinstance(service.store, MemoryStore)
        (entry,) = service.store._entries.values()
        assert entry.document.embedded is None
        embedder.allowed.set()
        (document,) = await stored(service)
        assert document.embedded is not None
        assert service.metric("stored_total", category="default") == 1


NEWS = ("news of today", "news of the town", "news at noon")
BEES = ("bees of today", "bees of the town", "bees at noon")


def _kinds(**news: Any) -> PolicySet:
    return policy_set(
        CategoryPolicy("news", **{"ttl": 60.0, "ttl_overload": 90.0, "examples": NEWS, **news}),
        CategoryPolicy("bees", ttl=7200.0, examples=BEES),
        min_confidence=0.6,
    )


async def _answered(parts: Parts, text: str) -> tuple[list[Document], list[Document]]:
    """Return what is stored while the embedding is under way, and what is when it is there."""
    embedder = parts.embedder = SlowEmbedder()
    embedder.allowed.set()  # to learn the categories by
    async with assembled(parts) as service:
        embedder.allowed.clear()
        await service.client.ask(chat(text))
        assert isinstance(service.store, MemoryStore)
        before = [entry.document for entry in service.store._entries.values()]
        embedder.allowed.set()
        return before, await stored(service)


@pytest.mark.parametrize(
    ("text", "category", "seconds"), [("news for me", "news", 90.0), ("bees for me", "bees", 86400)]
)
async def test_until_its_category_is_known_an_answer_is_kept_as_shortly_as_any_would_have_it(
    text: str, category: str, seconds: float
) -> None:
    (before,), (after,) = await _answered(Parts(policies=_kinds()), text)
    assert (before.category, before.expires_at) == ("default", 1e6 + 60)
    # For as long as the load could make it.
    assert (after.category, after.expires_at) == (category, 1e6 + seconds)


@pytest.mark.parametrize("text", ["news for me", "bees for me"])
async def test_where_any_category_forbids_it_nothing_is_written_before_it_is_known(
    text: str,
) -> None:
    parts = Parts(policies=_kinds(allow_caching=False), commit_wait=0.01)
    before, after = await _answered(parts, text)
    assert (before, len(after)) == ([], int(text.startswith("bees")))


async def test_what_turns_out_to_be_personal_does_not_stay() -> None:
    text = "news for order number: AB-48213"
    parts = Parts(policies=_kinds(personalised=True), commit_wait=0.01)
    assert await _answered(parts, text) == ([], [])


@pytest.mark.parametrize("ttl_seconds", [30.0, 1e9])
async def test_the_configured_ttl_is_a_ceiling(ttl_seconds: float) -> None:
    config = {"cache": {"ttl_seconds": ttl_seconds}}
    async with assembled(Parts(policies=_kinds(), config=config)) as service:
        await service.client.ask(chat("hi"), x_cachemw_category="news")
        (document,) = await stored(service)
        assert document.expires_at == 1e6 + min(ttl_seconds, 90.0)


@pytest.mark.parametrize("embedder", [None, WordEmbedder()])
async def test_personal_data_is_seen_where_nothing_is_looked_up_by_meaning(embedder: Any) -> None:
    parts = Parts(policies=_kinds(personalised=True), embedder=embedder)
    async with assembled(parts) as service:
        text = "Where is order number: AB-48213? " + "It was promised long ago. " * 100
        reply = await service.client.ask(chat(text), x_cachemw_category="news")
        assert (reply.status, reply.stored) == (200, False)
        assert not await stored(service)
        assert service.metric("store_skipped_total", reason="personal") == 1


@pytest.mark.parametrize("cut", range(1, 5))
async def test_a_stream_that_ends_before_its_finish_reason_is_never_stored(cut: int) -> None:
    async with assembled(Parts()) as service:
        service.upstream.reply = (200, b"text/event-stream", stream_of("a b c")[:cut])
        reply = await service.client.ask(chat("hi", stream=True))
        assert not await stored(service)
        assert b'"upstream_broken"' in reply.body


async def _purge(service: Assembled, **wanted: Any) -> AsgiReply:
    admin = AsgiClient(service.surface, {"authorization": f"Bearer {ADMIN_TOKEN}"})
    return await admin.ask(wanted or {"all": True}, "/cache/purge")


async def test_what_was_purged_during_its_call_is_not_stored() -> None:
    async with assembled(Parts()) as service:
        service.upstream.gate = asyncio.Event()
        asked = asyncio.create_task(service.client.ask(chat("hi")))
        for _ in range(1000):
            if service.upstream.calls:
                break
            await asyncio.sleep(0)
        other = await _purge(service, model="another")
        assert other.json()["removed"] == 0
        assert (await _purge(service, model="m")).json()["removed"] == 0
        service.upstream.gate.set()
        assert not (await asked).stored
        assert not await stored(service)
        assert service.metric("store_skipped_total", reason="purged") == 1.0
        # A call that begins now is another matter.
        assert (await service.client.ask(chat("hi"))).stored


async def test_what_was_purged_while_its_vector_was_made_does_not_come_back() -> None:
    embedder = SlowEmbedder()
    async with assembled(Parts(embedder=embedder, embed_timeout=20.0)) as service:
        assert (await service.client.ask(chat("hi"))).stored
        assert (await _purge(service)).json()["removed"] == 1
        embedder.allowed.set()
        assert not await stored(service)
        assert len(service.index or ()) == 0
