"""The semantic tier: which requests have a question, and when it is embedded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy

from cachemw.semantic import SemanticSettings
from cachemw.stores.base import Vector
from tests.support.asgi import AsgiReply
from tests.support.service import (
    Assembled,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    policy_set,
)


class Embedder(WordEmbedder):
    """Cuts what is longer than 40 characters, and embeds when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = threading.Event()
        self.allowed.set()
        self.waiting: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        self.waiting = list(texts)
        self.allowed.wait(20)
        return super().embed(texts)

    def cuts(self, text: str) -> bool:
        return len(text) > 40


@pytest.fixture
async def service() -> AsyncIterator[Assembled]:
    config = {"semantic": {"max_chars": 60, "max_temperature": 0.5}}
    policies = policy_set(CategoryPolicy("tests", delta=0.0))
    parts = Parts(embedder=Embedder(), policies=policies, config=config, embed_timeout=30.0)
    async with assembled(parts) as made:
        yield made


async def ask(service: Assembled, text: str, **body: Any) -> AsgiReply:
    reply = await service.client.ask(chat(text, **body))
    await service.settled()
    return reply


@pytest.mark.parametrize(
    ("params", "length", "excluded"),
    [
        ({}, 60, False),
        ({}, 61, True),
        ({"temperature": 0.5}, 1, False),
        ({"temperature": 0.6}, 1, True),
        ({"temperature": "hot"}, 1, False),
        ({"temperature": None}, 1, False),
    ],
)
def test_what_settings_exclude(params: dict[str, Any], length: int, excluded: bool) -> None:
    assert SemanticSettings(60, 0.5).excludes(params, "x" * length) is excluded
    assert not SemanticSettings(60).excludes({"temperature": 2.0}, "")


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("warm " * 13, {}),  # too long for us
        ("warm " * 9, {}),  # too long for the embedder
        ("warm up", {"temperature": 0.7}),
    ],
)
async def test_what_is_excluded_is_exact_only(
    service: Assembled, text: str, body: dict[str, Any]
) -> None:
    await ask(service, "warm up")
    embedder: Any = service.embedder
    made = len(embedder.texts)
    assert [(await ask(service, text, **body)).layer for _ in range(2)] == ["upstream", "exact"]
    assert len(embedder.texts) == made
    assert len(service.index or ()) == 1


async def test_until_it_is_loaded_everything_is_exact_only(service: Assembled) -> None:
    tier = service.semantic
    assert tier is not None
    loaded, tier._parts = tier._parts, None
    for text in ("warm up", "warm it up"):
        assert (await ask(service, text)).layer == "upstream"
        assert (await ask(service, text)).layer == "exact"
    assert loaded is not None
    tier.attach(loaded)
    assert (await ask(service, "warm me up")).layer == "upstream"  # nothing there has a vector
    assert (await ask(service, "warm us up")).layer == "semantic"


async def test_where_nothing_can_be_near_the_call_does_not_wait_for_the_embedding(
    service: Assembled,
) -> None:
    embedder: Any = service.embedder
    embedder.allowed.clear()
    assert (await service.client.ask(chat("warm up"))).layer == "upstream"
    embedder.allowed.set()
    await service.settled()
    # Then there is something to compare with, and that comes first.
    embedder.allowed.clear()
    asked = asyncio.create_task(service.client.ask(chat("warm it up")))
    while embedder.waiting != ["warm it up"]:  # noqa: ASYNC110 - set by another thread
        await asyncio.sleep(0.001)
    assert not asked.done()
    embedder.allowed.set()
    assert (await asked).layer == "semantic"
    assert len(service.upstream.calls) == 1


async def test_what_is_forgotten_is_not_found(service: Assembled) -> None:
    first = await ask(service, "warm up")
    key = bytes.fromhex(first.header("x-cachemw-entry"))
    assert service.semantic is not None
    document = await service.store.get(key)
    assert document is not None
    await service.semantic.forget([key])
    assert len(service.index or ()) == 0
    await service.semantic.add(document)
    assert (await ask(service, "warm it up")).layer == "semantic"


async def test_a_candidate_that_is_gone_from_the_store_leaves_the_index(service: Assembled) -> None:
    first = await ask(service, "warm up")
    key = bytes.fromhex(first.header("x-cachemw-entry"))
    await service.store.delete(key)
    service.exact.forget([key])
    reply = await service.client.ask(chat("warm it up"), cache_control="no-store")
    assert reply.layer == "upstream"
    assert len(service.index or ()) == 0
