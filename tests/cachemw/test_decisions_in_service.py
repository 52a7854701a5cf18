"""How a near question is decided on in the whole service: labels, load, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.labels import Label, Source

from tests.support.asgi import AsgiReply
from tests.support.service import (
    Assembled,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    plain_of,
    policy_set,
    text_of,
)
from tests.support.verdicts import SaidVerifier

LOOSE: dict[str, Any] = {"delta": 0.05, "delta_overload": 0.3, "ttl": 100.0, "ttl_overload": 300.0}
POLICIES = policy_set(
    CategoryPolicy("facts", threshold=0.9, **LOOSE),
    CategoryPolicy("medical", threshold=0.9, safety_critical=True, **LOOSE),
)
FACTS: dict[str, Any] = {"x_cachemw_category": "facts", "x_cachemw_explain": "1"}


@asynccontextmanager
async def serving(says: float = 0.99, **more: Any) -> AsyncIterator[Assembled]:
    parts = Parts(embedder=WordEmbedder(), policies=POLICIES, verifier=SaidVerifier(says), **more)
    async with assembled(parts) as service:
        yield service


async def ask(service: Assembled, text: str, **headers: Any) -> AsgiReply:
    reply = await service.client.ask(chat(text), **headers)
    assert reply.status == 200, reply.body
    await service.settled()
    return reply


def decision(reply: AsgiReply) -> dict[str, str]:
    parts = (part.partition("=") for part in reply.header("x-cachemw-decision").split("; "))
    return {name: value for name, _, value in parts}


def _says(service: Assembled, text: str) -> None:
    service.upstream.reply = (200, b"application/json", [json.dumps(plain_of(text)).encode()])


def labels(category: str) -> Iterator[Label]:
    """Yield labels by which 0.9 errs never, 0.7 within the overload's share, and 0.5 always."""
    for number in range(2000):
        for score, right in ((0.95, True), (0.7, number % 8 > 0), (0.5, False)):
            yield Label(category, score, right, Source.SHADOW, SaidVerifier.fingerprint, 1e6)


async def test_the_score_decides_and_not_the_cosine() -> None:
    async with serving(0.91) as service:
        await ask(service, "eggs in all?", **FACTS)
        hit = await ask(service, "eggs in total?", **FACTS)
        said = decision(hit)
        assert (hit.layer, said["outcome"], said["score"]) == ("semantic", "served", "0.9100")
        assert hit.header("x-cachemw-similarity") == said["similarity"] != said["score"]


@pytest.mark.parametrize(
    ("fresh", "verdict"), [("3 + 4 = 7 eggs", "right"), ("3 + 5 = 8 eggs", "wrong")]
)
async def test_a_candidate_below_the_threshold_is_a_label_of_the_miss(
    fresh: str, verdict: str
) -> None:
    async with serving(0.6, config={"shadow": {"share": 0.1, "dense": 100}}) as service:
        _says(service, "3 + 4 = 7 eggs")
        await ask(service, "eggs in all?", **FACTS)
        _says(service, fresh)
        reply = await ask(service, "eggs in total?", **FACTS)
        assert (reply.layer, decision(reply)["outcome"]) == ("upstream", "below_threshold")
        assert service.metric("labels_total", source="miss", verdict=verdict) == 1
        await service.learning.learner.step()
        (label,) = (await service.learning.book._evidence.labels("", 10)).labels
        assert label.score == pytest.approx(0.6)
        assert label.right == (verdict == "right")
        assert (label.category, label.source, label.scale) == ("facts", Source.MISS, "said")


async def test_answers_that_cannot_be_compared_are_no_label() -> None:
    async with serving(0.6) as service:
        for said, text in (("It is so.", "eggs in all?"), ("One cannot say.", "eggs in total?")):
            _says(service, said)
            await ask(service, text, **FACTS)
        assert service.metric("checks_total", source="miss", outcome="unsure") == 1
        for verdict in ("right", "wrong"):
            assert service.metric("labels_total", source="miss", verdict=verdict) == 0


async def test_it_is_said_why_to_those_who_ask() -> None:
    async with serving(0.99) as service:
        miss = await ask(service, "eggs in all?", **FACTS)
        assert decision(miss)["outcome"] == "no_lookup"  # there is nothing to compare with yet
        exact = await ask(service, "eggs in all?", **FACTS)
        assert (exact.layer, decision(exact)["outcome"]) == ("exact", "no_lookup")
        served = decision(await ask(service, "eggs in total?", **FACTS))
        assert served == {
            "category": "facts",
            "category_by": "request",
            "outcome": "served",
            "load": "0.00",
            "threshold": "0.9000",
            "threshold_by": "cold_start",
            "similarity": served["similarity"],
            "score": "0.9900",
        }
        far = decision(await ask(service, "geese in total?", **FACTS))
        assert far["outcome"] == "nothing_near"
        bypass = await ask(service, "eggs in all?", x_cachemw_mode="off", **FACTS)
        assert decision(bypass) == {
            "category": "facts",
            "category_by": "request",
            "outcome": "no_lookup",
        }
        for text in ("eggs in all?", "eggs in total?", "ducks?"):
            assert not (await ask(service, text)).header("x-cachemw-decision")


async def test_nothing_that_anybody_wrote_is_in_what_is_said() -> None:
    async with serving(0.99) as service:
        await ask(service, "marker1 of eggs", **FACTS)
        for text in ("marker1 of eggs", "marker1 of all eggs", "marker1 of 7 eggs"):
            reply = await ask(service, text, **FACTS)
            assert decision(reply)["category"] == "facts"
            assert "marker1" not in reply.header("x-cachemw-decision")


def _under(service: Assembled, load: float) -> None:
    service.path._asks._load_of = lambda _: load


@pytest.mark.parametrize(("category", "gives_way"), [("facts", True), ("medical", False)])
async def test_load_lowers_the_threshold_but_not_where_errors_do_harm(
    category: str, gives_way: bool
) -> None:
    async with serving(0.7) as service:
        for label in labels(category):
            service.categories.learn(label)
        service.categories.refresh()
        headers = {**FACTS, "x_cachemw_category": category, "cache_control": "no-cache"}
        await ask(service, "eggs in all?", **headers)
        asked = {**headers, "cache_control": "no-store"}
        for load, served in ((0.0, False), (1.0, gives_way), (0.0, False)):
            _under(service, load)
            reply = await ask(service, "eggs in total?", **asked)
            assert (reply.layer == "semantic") == served, reply.header("x-cachemw-decision")
            assert decision(reply)["load"] == f"{load:.2f}"
            assert decision(reply)["threshold_by"] == "calibrated"


@pytest.mark.parametrize(("category", "gives_way"), [("facts", True), ("medical", False)])
async def test_load_makes_answers_last_longer_but_not_where_errors_do_harm(
    category: str, gives_way: bool
) -> None:
    async with serving(0.99) as service:
        headers = {"x_cachemw_category": category, "cache_control": "no-store"}
        await ask(service, "eggs in all?", x_cachemw_category=category)
        service.clock.now += 150
        for load, served in ((0.0, False), (1.0, gives_way), (0.0, False)):
            _under(service, load)
            reply = await ask(service, "eggs in all?", **headers)
            assert (reply.layer == "exact") == served


async def test_where_errors_do_harm_nothing_is_served_on_trust() -> None:
    async with serving(1.0) as service:
        medical = {**FACTS, "x_cachemw_category": "medical"}
        await ask(service, "eggs in all?", **medical)
        reply = await ask(service, "eggs in total?", **medical)
        assert (reply.layer, decision(reply)["threshold"]) == ("upstream", "none")


async def test_a_clients_threshold_is_on_the_cosine_and_only_tightens() -> None:
    async with serving(0.5) as service:
        await ask(service, "eggs in all?", **FACTS)
        # It does not help over a score that is too low,
        low = await ask(service, "eggs in total?", x_cachemw_threshold="0.1", **FACTS)
        assert decision(low)["outcome"] == "below_threshold"
        # and keeps out what the score would let in.
        lane: Any = service.semantic._parts.weigher._verifier  # type: ignore[union-attr]
        lane._verifier.says = 1.0
        strict = await ask(service, "eggs altogether?", x_cachemw_threshold="1.0", **FACTS)
        assert decision(strict)["outcome"] == "nothing_near"
        assert (await ask(service, "eggs overall?", **FACTS)).layer == "semantic"


async def test_feedback_says_a_served_answer_was_wrong() -> None:
    async with serving(0.95) as service:
        await ask(service, "eggs in all?", **FACTS)
        hit = await ask(service, "eggs in total?", **FACTS)
        assert (hit.layer, "eggs in all?" in text_of(hit.body)) == ("semantic", True)
        told = await service.client.ask({"id": hit.json()["id"], "score": 0}, "/cache/feedback")
        assert (told.status, told.json()["removed"]) == (200, True)
        await service.learning.learner.step()
        estimate = service.categories.standing("facts").estimate
        assert (estimate.labels, estimate.errors) == (1, 1)
        assert (await ask(service, "eggs in all?", **FACTS)).layer == "upstream"
