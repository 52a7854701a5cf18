"""What is stored and found, where it hangs on how an answer ended or how it was asked for."""

from __future__ import annotations

import httpx
import pytest
from openai import OpenAI

from tests.contract.conftest import Question, as_json
from tests.support.chat import plain, streamed
from tests.support.fakes import RunningFake
from tests.support.servers import wait_until

SEMANTIC = {"x-cachemw-mode": "semantic"}


@pytest.mark.parametrize(
    ("ending", "stored"),
    [("", True), ("no-usage", True), ("no-done", True), ("no-done;no-usage", False)],
)
def test_a_stream_without_its_end_is_stored_only_if_its_usage_came(
    client: OpenAI, question: Question, ending: str, *, stored: bool
) -> None:
    first = streamed(client, **question.chat(ending))
    again = plain(client, **question.chat(ending))
    assert again.layer == ("exact" if stored else "upstream")
    assert again.content == first.content


def test_only_if_cached_never_goes_upstream_even_where_the_cache_is_off(
    http: httpx.Client, fake: RunningFake, question: Question
) -> None:
    headers = {"x-cachemw-mode": "off", "cache-control": "only-if-cached"}
    reply = http.post("/v1/chat/completions", json=as_json(question.chat()), headers=headers)
    assert reply.status_code == 504
    assert reply.json()["error"]["code"] == "only_if_cached"
    assert fake.asked(question.text) == 0


def test_requests_that_want_variety_are_exact_only(client: OpenAI) -> None:
    # With a scope of its own: only what is found near is under test, so these are no new texts.
    alone = SEMANTIC | {"x-cachemw-scope": "variety"}
    question = Question("How does photosynthesis work?")
    other = Question("How does photosynthesis actually work?")
    for temperature, layer in ((1.2, "semantic"), (1.3, "upstream")):
        ask = {"temperature": temperature, "extra_headers": alone}
        plain(client, **question.chat(), **ask)

        def found(ask: dict[str, object] = ask) -> str:
            headers = alone | {"cache-control": "no-store"}
            return plain(client, **other.chat(), **(ask | {"extra_headers": headers})).layer

        if layer == "semantic":
            wait_until(lambda: found() == "semantic", what="a semantic hit")
        assert found() == layer
