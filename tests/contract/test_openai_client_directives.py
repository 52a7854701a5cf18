"""What a client can ask of the cache; it can tighten everything and loosen nothing."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.contract.conftest import Question
from tests.support import cache_status
from tests.support.chat import WAYS, plain, streamed
from tests.support.fakes import RunningFake


def _control(directive: str) -> dict[str, Any]:
    return {"extra_headers": {"cache-control": directive}}


@pytest.mark.parametrize("way", WAYS)
def test_no_cache_asks_upstream_and_refreshes(
    client: OpenAI, fake: RunningFake, question: Question, way: str
) -> None:
    ask = question.chat("vary")  # another answer to every call
    old = plain(client, **ask)
    new = WAYS[way](client, **ask, **_control("no-cache"))
    assert new.layer == "upstream"
    assert new.content != old.content
    after = plain(client, **ask)
    assert (after.layer, after.content) == ("exact", new.content)
    assert fake.asked(question.text) == 2


@pytest.mark.parametrize("way", WAYS)
def test_no_store_leaves_nothing_behind(
    client: OpenAI, fake: RunningFake, question: Question, way: str
) -> None:
    reply = WAYS[way](client, **question.chat(), **_control("no-store"))
    assert not cache_status.parse(reply.headers).stored
    assert plain(client, **question.chat()).layer == "upstream"
    assert fake.asked(question.text) == 2


def test_max_age_and_ttl_bound_the_age(client: OpenAI, question: Question) -> None:
    other = Question(question.text + " And why?")
    plain(client, **question.chat())
    plain(client, **other.chat(), extra_headers={"x-cachemw-ttl": "1"})
    assert plain(client, **question.chat(), **_control("max-age=60")).layer == "exact"
    time.sleep(2.1)
    assert plain(client, **question.chat(), **_control("max-age=60")).layer == "exact"
    assert plain(client, **question.chat(), **_control("max-age=1")).layer == "upstream"
    assert plain(client, **other.chat()).layer == "upstream"


def test_ttl_is_never_loosened(client: OpenAI, question: Question) -> None:
    def ttl(asked: Question, **headers: str) -> int:
        plain(client, **asked.chat(), extra_headers=headers)
        found = cache_status.parse(plain(client, **asked.chat()).headers).ttl
        assert found is not None
        return found

    usual = ttl(question)
    assert ttl(Question(question.text + "?"), **{"x-cachemw-ttl": "999999999"}) <= usual
    assert ttl(Question(question.text + "!"), **{"x-cachemw-ttl": "30"}) <= 30


@pytest.mark.parametrize("way", WAYS)
def test_only_if_cached(client: OpenAI, fake: RunningFake, question: Question, way: str) -> None:
    ask = question.chat() | _control("only-if-cached")
    with pytest.raises(openai.APIStatusError) as caught:
        WAYS[way](client, **ask)
    assert caught.value.status_code == 504
    assert caught.value.code == "only_if_cached"
    assert fake.asked(question.text) == 0
    plain(client, **question.chat())
    assert WAYS[way](client, **ask).layer == "exact"


def test_mode_off_bypasses(client: OpenAI, fake: RunningFake, question: Question) -> None:
    plain(client, **question.chat())
    for way in WAYS.values():
        reply = way(client, **question.chat(), extra_headers={"x-cachemw-mode": "off"})
        status = cache_status.parse(reply.headers)
        assert (reply.layer, status.hit, status.forwarded) == ("upstream", False, "bypass")
    assert fake.asked(question.text) == 3


def test_mode_off_stores_nothing(client: OpenAI, question: Question) -> None:
    plain(client, **question.chat(), extra_headers={"x-cachemw-mode": "off"})
    assert plain(client, **question.chat()).layer == "upstream"


@pytest.mark.parametrize("mode", ["exact", "semantic", "full"])
def test_every_other_mode_serves_exact_hits(client: OpenAI, question: Question, mode: str) -> None:
    headers = {"x-cachemw-mode": mode}
    plain(client, **question.chat(), extra_headers=headers)
    assert streamed(client, **question.chat(), extra_headers=headers).layer == "exact"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-cachemw-mode", "turbo"),
        ("x-cachemw-ttl", "soon"),
        ("x-cachemw-ttl", "-1"),
        ("x-cachemw-threshold", "high"),
        ("x-cachemw-threshold", "1.5"),
    ],
)
def test_a_directive_that_cannot_be_read_is_named(
    client: OpenAI, fake: RunningFake, question: Question, name: str, value: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=name):
        plain(client, **question.chat(), extra_headers={name: value})
    assert fake.asked(question.text) == 0


def test_an_unknown_cache_control_is_ignored(client: OpenAI, question: Question) -> None:
    # RFC 9111, section 5.2.3: what a cache does not know, it must ignore.
    ask = question.chat() | _control("no-transform, stale-dance=7")
    assert plain(client, **ask).layer == "upstream"
    assert plain(client, **ask).layer == "exact"
