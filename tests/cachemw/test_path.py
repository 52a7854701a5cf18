"""The path of a request: which rung answers, and what is left out on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy

from cachemw.aftermath import Noting
from tests.support.asgi import AsgiReply
from tests.support.service import (
    Assembled,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    policy_set,
    text_of,
)


@pytest.fixture
async def service() -> AsyncIterator[Assembled]:
    exact_only = CategoryPolicy("tests", delta=0.0)
    parts = Parts(embedder=WordEmbedder(), policies=policy_set(exact_only))
    async with assembled(parts) as made:
        await ask(made, "warm up")
        yield made


async def ask(service: Assembled, text: str, **headers: Any) -> AsgiReply:
    reply = await service.client.ask(chat(text), **headers)
    await service.settled()
    return reply


@pytest.mark.parametrize(
    ("text", "headers", "layer"),
    [
        ("warm up", {}, "exact"),
        ("warm it up", {}, "semantic"),
        ("cold start", {}, "upstream"),
        ("warm it up", {"x_cachemw_mode": "exact"}, "upstream"),
        ("warm up", {"x_cachemw_mode": "off"}, "upstream"),
        ("warm up", {"cache_control": "no-cache"}, "upstream"),
        ("warm it up", {"cache_control": "no-cache"}, "upstream"),
        ("warm it up", {"x_cachemw_category": "tests"}, "upstream"),
        ("warm up", {"x_cachemw_category": "tests"}, "exact"),
    ],
)
async def test_the_cheapest_rung_that_may_answers(
    service: Assembled, text: str, headers: dict[str, str], layer: str
) -> None:
    calls = len(service.upstream.calls)
    reply = await ask(service, text, **headers)
    assert (reply.status, reply.layer) == (200, layer)
    assert len(service.upstream.calls) - calls == (layer == "upstream")


@pytest.mark.parametrize(("text", "layer"), [("warm up", "exact"), ("warm it up", "semantic")])
async def test_who_wants_stored_answers_only_gets_them(
    service: Assembled, text: str, layer: str
) -> None:
    assert (await ask(service, text, cache_control="only-if-cached")).layer == layer
    reply = await ask(service, "cold start", cache_control="only-if-cached")
    assert (reply.status, reply.json()["error"]["code"]) == (504, "only_if_cached")
    assert len(service.upstream.calls) == 1


@pytest.mark.parametrize("part", ["withholds", "hit"])
async def test_a_fault_in_what_learns_from_hits_is_a_miss(
    service: Assembled, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise ValueError

    with monkeypatch.context() as patched:
        patched.setattr(Noting, part, faulty)
        reply = await ask(service, "warm up")
        assert (reply.layer, "warm up" in text_of(reply.body)) == ("upstream", True)
        assert service.metric("dependency_up", dependency="lookup") == 0.0
    assert (await ask(service, "warm up")).layer == "exact"
    assert service.metric("dependency_up", dependency="lookup") == 1.0


async def test_an_exact_only_category_is_not_embedded_before_its_call(service: Assembled) -> None:
    """Its embedding is for the index alone: nobody waits for it."""
    embedder: Any = service.embedder
    made = len(embedder.texts)
    reply = await ask(
        service, "warm it up", x_cachemw_category="tests", cache_control="only-if-cached"
    )
    assert reply.status == 504
    assert len(embedder.texts) == made
