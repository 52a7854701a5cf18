"""Two API keys never share an answer."""

from __future__ import annotations

import httpx
import pytest
from openai import OpenAI

from tests.contract.conftest import Question, as_json
from tests.support.chat import WAYS, plain, streamed
from tests.support.fakes import RunningFake


@pytest.mark.parametrize("way", WAYS)
def test_tenants_do_not_share(
    client: OpenAI, fake: RunningFake, question: Question, way: str
) -> None:
    bob = client.with_options(api_key="sk-bob")
    ask = question.chat("vary")
    alices = WAYS[way](client, **ask)
    bobs = WAYS[way](bob, **ask)
    assert (alices.layer, bobs.layer) == ("upstream", "upstream")
    assert alices.content != bobs.content
    assert plain(client, **ask).content == alices.content
    assert streamed(bob, **ask).content == bobs.content
    assert fake.asked(question.text) == 2


def test_a_key_is_a_tenant_however_many_clients_use_it(
    client: OpenAI, proxy: str, question: Question
) -> None:
    plain(client, **question.chat())
    headers = {"x-cachemw-mode": "exact"}
    with OpenAI(base_url=proxy + "/v1", api_key="sk-alice", default_headers=headers) as another:
        assert plain(another, **question.chat()).layer == "exact"


def test_a_scope_narrows(client: OpenAI, question: Question) -> None:
    def scoped(name: str) -> str:
        return plain(client, **question.chat(), extra_headers={"x-cachemw-scope": name}).layer

    assert plain(client, **question.chat()).layer == "upstream"
    assert scoped("project-1") == "upstream"
    assert scoped("project-1") == "exact"
    assert scoped("project-2") == "upstream"


def test_a_scope_does_not_widen(client: OpenAI, question: Question) -> None:
    shared = {"x-cachemw-scope": "everyone"}
    plain(client, **question.chat(), extra_headers=shared)
    bob = client.with_options(api_key="sk-bob")
    assert plain(bob, **question.chat(), extra_headers=shared).layer == "upstream"


def test_no_key_is_not_somebodys_key(client: OpenAI, proxy: str, question: Question) -> None:
    plain(client, **question.chat())
    answer = httpx.post(proxy + "/v1/chat/completions", json=as_json(question.chat()))
    assert answer.headers.get("x-cachemw-layer") != "exact"


def test_the_upstream_gets_the_clients_key(
    client: OpenAI, fake: RunningFake, question: Question
) -> None:
    plain(client.with_options(api_key="sk-carol"), **question.chat())
    (seen,) = [s for s in tuple(fake.record.requests) if question.text in str(s.body)]
    assert seen.headers["authorization"] == "Bearer sk-carol"
