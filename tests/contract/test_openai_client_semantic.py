"""Semantic hits, as far as the contract goes: their headers, and that a client can only tighten."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.support import cache_status
from tests.support.chat import Reply, plain
from tests.support.servers import wait_until

ASKED = "How do I reset my account password?"
PARAPHRASE = "How can I reset my account password?"
OTHER = "Which rivers flow through Budapest?"


@pytest.fixture
def tenant(client: OpenAI, request: pytest.FixtureRequest) -> OpenAI:
    """Return a client whose cache is its own, with the semantic layer on."""
    return client.with_options(
        api_key=f"sk-{request.node.name}", default_headers={"x-cachemw-mode": "semantic"}
    )


def _ask(client: OpenAI, text: str, *, system: str = "Be brief.", **headers: str) -> Reply:
    messages: list[Any] = [
        {"role": "system", "content": system},
        {"role": "user", "content": text},
    ]
    return plain(client, model="fake-large", messages=messages, extra_headers=headers)


def _semantic_hit(client: OpenAI) -> Reply:
    """Ask the paraphrase until it hits: an answer is indexed beside its reply, not before it."""
    replies: list[Reply] = []

    def hits() -> bool:
        # Not stored, or the second try would be an exact hit.
        replies.append(_ask(client, PARAPHRASE, **{"cache-control": "no-store"}))
        return replies[-1].layer != "upstream"

    wait_until(hits, what="semantic hit")
    return replies[-1]


def test_a_paraphrase_is_a_hit_and_says_so(tenant: OpenAI) -> None:
    original = _ask(tenant, ASKED)
    reply = _semantic_hit(tenant)
    status = cache_status.parse(reply.headers)
    assert (reply.layer, status.hit, status.detail) == ("semantic", True, "semantic")
    assert reply.choices == original.choices
    assert reply.usage == original.usage
    assert 0.9 <= float(reply.headers["x-cachemw-similarity"]) <= 1.0
    assert reply.headers["x-cachemw-entry"]
    assert reply.headers["x-cachemw-category"] == "customer_support"


def test_a_client_can_tighten_the_threshold(tenant: OpenAI) -> None:
    _ask(tenant, ASKED)
    _semantic_hit(tenant)
    assert _ask(tenant, PARAPHRASE, **{"x-cachemw-threshold": "1.0"}).layer == "upstream"


def test_a_client_cannot_loosen_the_threshold(tenant: OpenAI) -> None:
    _ask(tenant, ASKED)
    _semantic_hit(tenant)
    assert _ask(tenant, OTHER, **{"x-cachemw-threshold": "0.0"}).layer == "upstream"


def test_mode_exact_has_no_semantic_hits(tenant: OpenAI) -> None:
    _ask(tenant, ASKED)
    _semantic_hit(tenant)
    assert _ask(tenant, PARAPHRASE, **{"x-cachemw-mode": "exact"}).layer == "upstream"


def test_another_system_prompt_is_another_world(tenant: OpenAI) -> None:
    _ask(tenant, ASKED)
    _semantic_hit(tenant)
    assert _ask(tenant, PARAPHRASE, system="Answer in French.").layer == "upstream"


def test_another_tenant_is_another_world(tenant: OpenAI) -> None:
    _ask(tenant, ASKED)
    _semantic_hit(tenant)
    assert _ask(tenant.with_options(api_key="sk-stranger"), PARAPHRASE).layer == "upstream"
