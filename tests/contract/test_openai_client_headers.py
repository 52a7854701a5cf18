"""What the response headers say, as the official client shows them."""

from __future__ import annotations

import time

from openai import OpenAI

from tests.contract.conftest import Question
from tests.support import cache_status
from tests.support.chat import WAYS, plain, streamed


def test_a_miss(client: OpenAI, question: Question) -> None:
    reply = plain(client, **question.chat())
    status = cache_status.parse(reply.headers)
    assert (status.cache, status.hit, status.forwarded, status.stored) == (
        "cachemw",
        False,
        "miss",
        True,
    )
    assert reply.layer == "upstream"
    assert "age" not in reply.headers


def test_a_streamed_miss_does_not_promise_to_store(client: OpenAI, question: Question) -> None:
    # The head is sent before the answer is known to be complete.
    status = cache_status.parse(streamed(client, **question.chat()).headers)
    assert (status.hit, status.forwarded, status.stored) == (False, "miss", False)


def test_an_answer_that_is_not_stored_says_so(client: OpenAI, question: Question) -> None:
    status = cache_status.parse(plain(client, **question.chat("finish=length")).headers)
    assert (status.forwarded, status.stored) == ("miss", False)


def test_a_hit(client: OpenAI, question: Question) -> None:
    plain(client, **question.chat())
    for way in WAYS.values():
        reply = way(client, **question.chat())
        status = cache_status.parse(reply.headers)
        assert (status.cache, status.hit, status.detail) == ("cachemw", True, "exact")
        assert status.ttl is not None
        assert status.ttl > 0
        assert status.key
        assert 0 <= int(reply.headers["age"]) <= 2
        assert reply.layer == "exact"
        assert reply.headers["x-cachemw-entry"]
        assert reply.headers["x-cachemw-model"] == "fake-large"


def test_age_grows_and_ttl_shrinks(client: OpenAI, question: Question) -> None:
    plain(client, **question.chat())
    young = plain(client, **question.chat()).headers
    time.sleep(1.1)
    old = plain(client, **question.chat()).headers
    assert int(old["age"]) > int(young["age"])
    young_ttl, old_ttl = cache_status.parse(young).ttl, cache_status.parse(old).ttl
    assert young_ttl is not None
    assert old_ttl is not None
    # Absolute: the hit in between has not extended it.
    assert old_ttl < young_ttl


def test_all_hits_of_an_entry_name_it(client: OpenAI, question: Question) -> None:
    plain(client, **question.chat())
    replies = [plain(client, **question.chat()), streamed(client, **question.chat())]
    assert len({reply.headers["x-cachemw-entry"] for reply in replies}) == 1
    assert len({reply.id for reply in replies}) == 2


def test_the_upstreams_headers_come_through(client: OpenAI, question: Question) -> None:
    headers = plain(client, **question.chat()).headers
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-version"] == "2020-10-01"


def test_with_streaming_response(client: OpenAI, question: Question) -> None:
    expected = plain(client, **question.chat())
    with client.chat.completions.with_streaming_response.create(**question.chat()) as answer:
        assert answer.headers["x-cachemw-layer"] == "exact"
        parsed = answer.parse()
    assert parsed.choices[0].message.content == expected.content


def test_the_upstreams_no_cache_is_ignored(client: OpenAI, question: Question) -> None:
    # Vendors send `no-cache` with everything; honouring it would store nothing.
    plain(client, **question.chat())
    assert plain(client, **question.chat()).layer == "exact"
