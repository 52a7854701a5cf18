"""What the policy of a category does to requests, through the whole service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet

from tests.support.asgi import AsgiReply
from tests.support.service import Assembled, Parts, WordEmbedder, assembled, chat, policy_set
from tests.support.verdicts import SaidVerifier

# Near means the same first word: these are what the classifier knows the categories by.
NEWS = ("news of today", "news of the town", "news at noon")
FACTS = ("facts of life", "facts and figures", "facts about bees")
BILL = "pay the bill for order number: AB-48213"


def policies(**news: Any) -> PolicySet:
    """Return a set whose `news` has these values; the classifier says what is nearer."""
    return policy_set(
        CategoryPolicy("news", **{"threshold": 0.9, "examples": NEWS, **news}),
        CategoryPolicy("facts", threshold=0.9, examples=FACTS),
        min_confidence=0.6,
    )


@asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[Assembled]:
    async with assembled(Parts(embedder=WordEmbedder(), **more)) as service:
        yield service


async def ask(service: Assembled, text: str, **headers: Any) -> AsgiReply:
    """Ask, and wait for what is stored and learnt beside the reply."""
    reply = await service.client.ask(chat(text), **headers)
    assert reply.status == 200, reply.body
    await service.settled()
    return reply


def decision(reply: AsgiReply) -> dict[str, str]:
    """Read the header that explains."""
    parts = (part.partition("=") for part in reply.header("x-cachemw-decision").split("; "))
    return {name: value for name, _, value in parts}


async def layers(service: Assembled, *texts: str, **headers: Any) -> list[str]:
    return [(await ask(service, text, **headers)).layer for text in texts]


NAMED = {"x_cachemw_category": "news"}
WAYS_TO_NEWS: list[dict[str, str]] = [{}, NAMED]


@pytest.mark.parametrize("headers", WAYS_TO_NEWS)
async def test_where_caching_is_not_allowed_nothing_is_stored(headers: dict[str, str]) -> None:
    async with serving(policies=policies(allow_caching=False)) as service:
        for _ in range(2):
            reply = await ask(service, "news of my town", **headers)
            assert (reply.layer, reply.stored) == ("upstream", False)
        assert (await service.store.stats()).entries == 0
        assert len(service.index or ()) == 0
        assert service.metric("store_skipped_total", reason="category") == 2
        # What others allow is theirs.
        assert await layers(service, "facts of death", "facts of death") == ["upstream", "exact"]


async def test_what_was_stored_is_no_longer_served_once_caching_is_not_allowed() -> None:
    async with serving(policies=policies()) as service:
        await ask(service, "news of my town", **NAMED)
        # A near question is of another category only if its client says so.
        near = {"x_cachemw_category": "facts", "cache_control": "no-store"}
        assert await layers(service, "news of the town", **near) == ["semantic"]
        service.categories.use(policies(allow_caching=False), None)
        assert await layers(service, "news of my town", **NAMED) == ["upstream"]
        assert await layers(service, "news of the town", **near) == ["upstream"]


@pytest.mark.parametrize("headers", WAYS_TO_NEWS)
async def test_personal_data_is_kept_out_of_a_personalised_category(
    headers: dict[str, str],
) -> None:
    examples = ("pay the fine", "pay the rent", "pay the tax")
    async with serving(policies=policies(personalised=True, examples=examples)) as service:
        assert await layers(service, BILL, BILL, **headers) == ["upstream", "upstream"]
        assert service.metric("store_skipped_total", reason="personal") == 2
        assert (await service.store.stats()).entries == 0
        # What holds none is stored; a question that does is not answered from it.
        assert await layers(service, "pay the bill", "pay a bill", **headers) == [
            "upstream",
            "semantic",
        ]
        reply = await ask(service, BILL, x_cachemw_explain="1", **headers)
        assert (reply.layer, decision(reply)["outcome"]) == ("upstream", "nothing_near")


async def test_where_answers_are_the_same_for_all_personal_data_is_no_obstacle() -> None:
    async with serving(policies=policies()) as service:
        assert await layers(service, BILL, BILL, **NAMED) == ["upstream", "exact"]


@pytest.mark.parametrize("headers", WAYS_TO_NEWS)
async def test_the_ttl_is_that_of_the_category(headers: dict[str, str]) -> None:
    async with serving(policies=policies(ttl=60.0, ttl_overload=60.0)) as service:
        first = await ask(service, "news of my town", **headers)
        assert first.stored
        service.clock.now += 59
        hit = await ask(service, "news of my town", **headers)
        assert (hit.layer, hit.header("x-cachemw-category")) == ("exact", "news")
        assert "ttl=1;" in hit.header("cache-status")
        assert await layers(service, "news of the town", cache_control="no-store", **headers) == [
            "semantic"
        ]
        service.clock.now += 1
        both = ("news of my town", "news of the town")
        found = await layers(service, *both, cache_control="no-store", **headers)
        assert found == ["upstream", "upstream"]


async def test_a_ttl_made_shorter_applies_to_what_is_stored_and_one_made_longer_too() -> None:
    async with serving(policies=policies(ttl=600.0)) as service:
        await ask(service, "news of my town")
        service.clock.now += 100
        asked = {"cache_control": "no-store"}
        both = ("news of my town", "news of the town")
        assert await layers(service, *both, **asked) == ["exact", "semantic"]
        train = service.learning.learner._train
        assert train is not None
        for ttl, expected in ((60.0, ["upstream"] * 2), (300.0, ["exact", "semantic"])):
            changed = policies(ttl=ttl, ttl_overload=ttl)
            service.categories.use(changed, train(changed))
            assert await layers(service, *both, **asked) == expected


@pytest.mark.parametrize("sliding", [True, False])
@pytest.mark.parametrize("text", ["news of my town", "news of the town"])
async def test_use_renews_a_sliding_ttl_alone(sliding: bool, text: str) -> None:
    fixed = policies(ttl=100.0, ttl_overload=100.0, sliding=sliding)
    async with serving(policies=fixed) as service:
        await ask(service, "news of my town")
        for _ in range(2):
            service.clock.now += 90
            found = await ask(service, text, cache_control="no-store")
            assert (found.layer != "upstream") == (sliding or service.clock.now < 1e6 + 100)
        if sliding:
            service.clock.now += 101  # since it was used last
            assert await layers(service, text, cache_control="no-store") == ["upstream"]


async def test_a_named_category_is_taken_where_that_is_allowed() -> None:
    async with serving(policies=policies()) as service:
        first = await ask(service, "facts of life", x_cachemw_explain="1", **NAMED)
        assert first.header("x-cachemw-category") == "news"
        hit = await ask(service, "facts of the bees", x_cachemw_explain="1", **NAMED)
        assert (hit.layer, hit.header("x-cachemw-category")) == ("semantic", "news")
        assert (decision(hit)["category"], decision(hit)["category_by"]) == ("news", "request")
        body = chat("facts of life", metadata={"cachemw_category": "news"})
        assert (await service.client.ask(body)).header("x-cachemw-category") == "news"


async def test_one_that_is_not_there_is_refused_and_reaches_nobody() -> None:
    async with serving(policies=policies()) as service:
        reply = await service.client.ask(chat("hi"), x_cachemw_category="nws")
        error = reply.json()["error"]
        assert (reply.status, error["param"]) == (400, "x-cachemw-category")
        assert "'news'" in error["message"]
        assert not service.upstream.calls


async def test_where_clients_may_not_choose_the_classifier_does() -> None:
    only_ours = policy_set(*policies().categories.values(), client_may_choose=False)
    async with serving(policies=only_ours) as service:
        for name in ("news", "nonsense"):
            await ask(service, "facts of life", x_cachemw_category=name)
            hit = await ask(service, "facts of life", x_cachemw_category=name)
            assert (hit.layer, hit.header("x-cachemw-category")) == ("exact", "facts")


@pytest.mark.parametrize("headers", WAYS_TO_NEWS)
async def test_with_a_delta_of_nothing_there_are_exact_hits_only(headers: dict[str, str]) -> None:
    async with serving(policies=policies(delta=0.0)) as service:
        texts = ("news of my town", "news of my town", "news of the town")
        assert await layers(service, *texts, **headers) == ["upstream", "exact", "upstream"]
        reply = await ask(service, "news of a town", x_cachemw_explain="1", **headers)
        expected = "no_lookup" if headers else "not_allowed"
        assert decision(reply)["outcome"] == expected


async def test_a_guard_vetoes_what_similarity_and_verifier_would_serve() -> None:
    verifier = SaidVerifier(1.0)
    async with serving(policies=policies(), verifier=verifier) as service:
        await ask(service, "facts about 3 bees", x_cachemw_category="facts")
        told = {"x_cachemw_explain": "1", "x_cachemw_category": "facts"}
        reply = await ask(service, "facts about 4 bees", **told)
        said = decision(reply)
        assert (reply.layer, said["outcome"], said["guard"]) == ("upstream", "guarded", "numbers")
        assert float(said["similarity"]) > 0.97
        assert "score" not in said
        assert verifier.pairs == []  # it is not even asked
        counted = service.metric("semantic_decisions_total", category="facts", outcome="guarded")
        assert counted == 1
        assert (await ask(service, "facts about 3 of the bees", **told)).layer == "semantic"
