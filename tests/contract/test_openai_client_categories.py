"""Categories as a client meets them: named, explained, and corrected by its feedback."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.contract.conftest import Question
from tests.contract.learning import (
    ASKED,
    PARAPHRASE,
    Learning,
    ask,
    until_found,
)
from tests.support.chat import WAYS, plain
from tests.support.fakes import RunningFake
from tests.support.servers import wait_until

EXPLAIN = {"x-cachemw-mode": "semantic", "x-cachemw-explain": "1"}


def _decision(reply_headers: Any) -> dict[str, str]:
    parts = reply_headers["x-cachemw-decision"].split("; ")
    return dict(part.split("=", 1) for part in parts)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_names_its_category(client: OpenAI, question: Question, way: str) -> None:
    headers = {"x-cachemw-category": "legal"}
    for layer in ("upstream", "exact"):
        reply = WAYS[way](client, **question.chat(), extra_headers=headers)
        assert (reply.layer, reply.headers["x-cachemw-category"]) == (layer, "legal")


def test_metadata_names_it_where_no_header_does(client: OpenAI, question: Question) -> None:
    request = question.chat() | {"metadata": {"cachemw_category": "translation"}}
    assert plain(client, **request).headers["x-cachemw-category"] == "translation"
    header = {"x-cachemw-category": "medical", "cache-control": "no-cache"}
    reply = plain(client, **request, extra_headers=header)
    assert reply.headers["x-cachemw-category"] == "medical"


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ("x-cachemw-category", {"extra_headers": {"x-cachemw-category": "medicl"}}),
        ("metadata.cachemw_category", {"metadata": {"cachemw_category": "medicl"}}),
    ],
)
def test_an_unknown_category_is_refused_and_its_field_named(
    client: OpenAI, fake: RunningFake, question: Question, field: str, where: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError, match="did you mean 'medical'") as caught:
        plain(client, **question.chat(), **where)
    assert caught.value.param == field
    assert fake.asked(question.text) == 0


def test_a_decision_is_explained_to_who_asks(client: OpenAI) -> None:
    tenant = client.with_options(api_key="sk-explained", default_headers=EXPLAIN)
    messages: Any = [{"role": "user", "content": "What is 17 plus 25?"}]
    near: Any = [{"role": "user", "content": "What is 17 plus 26?"}]
    plain(tenant, model="fake-large", messages=messages)

    def decision() -> dict[str, str]:
        no_store = {"cache-control": "no-store"}
        reply = plain(tenant, model="fake-large", messages=near, extra_headers=no_store)
        assert reply.layer == "upstream"
        return _decision(reply.headers)

    wait_until(lambda: decision()["outcome"] == "guarded", what="a near question")
    found = decision()
    assert (found["category"], found["category_by"]) == ("math", "classifier")
    assert found["guard"] == "numbers"
    assert "score" not in found  # what a guard has refused is not scored
    assert 0.75 <= float(found["similarity"]) < 1
    silent = {"x-cachemw-explain": "0"}
    reply = plain(tenant, model="fake-large", messages=near, extra_headers=silent)
    assert "x-cachemw-decision" not in reply.headers


def test_a_hit_is_explained_by_its_score(learning: Learning) -> None:
    with learning.client("score") as tenant:
        ask(tenant, ASKED, "judged")
        until_found(tenant, PARAPHRASE, "judged")
        explain = {"x_cachemw_explain": "1", "cache_control": "no-store"}
        found = _decision(ask(tenant, PARAPHRASE, "judged", **explain).headers)
    assert (found["outcome"], found["category_by"]) == ("served", "request")
    assert (found["threshold"], found["threshold_by"]) == ("0.9000", "cold_start")
    assert float(found["threshold"]) <= float(found["score"]) <= 1


def _judge(client: OpenAI, learning: Learning, answer_id: str, score: float) -> dict[str, Any]:
    """Send feedback as a client application would: with the client it has."""
    body = {"id": answer_id, "score": score}
    said = client.post(learning.url + "/cache/feedback", cast_to=object, body=body)
    assert isinstance(said, dict)
    return said


def test_a_wrong_answer_goes_once_for_its_tenant_and_counts(learning: Learning) -> None:
    counted = 'cachemw_feedback_total{verdict="wrong"}'
    with learning.client("complains") as tenant, learning.client("stranger") as stranger:
        ask(tenant, ASKED, "judged")
        hit = until_found(tenant, PARAPHRASE, "judged")
        before = learning.metric(counted), learning.category("judged")["false_hits"]["labels"]
        with pytest.raises(openai.NotFoundError):
            _judge(stranger, learning, hit.id, 0.0)
        assert ask(tenant, ASKED, "judged", cache_control="only-if-cached").layer == "exact"
        assert _judge(tenant, learning, hit.id, 0.0) == {"id": hit.id, "removed": True}
        with pytest.raises(openai.APIStatusError) as caught:
            ask(tenant, ASKED, "judged", cache_control="only-if-cached")
        assert caught.value.code == "only_if_cached"
        with pytest.raises(openai.NotFoundError) as again:
            _judge(tenant, learning, hit.id, 0.0)
        assert again.value.param == "id"
    assert learning.metric(counted) == before[0] + 1
    wait_until(
        lambda: learning.category("judged")["false_hits"]["labels"] == before[1] + 1,
        what="a label",
    )
    assert learning.category("judged")["false_hits"]["ratio"] > 0


def test_praise_keeps_the_answer_and_is_no_label(learning: Learning) -> None:
    with learning.client("praises") as tenant:
        ask(tenant, ASKED, "judged")
        hit = until_found(tenant, PARAPHRASE, "judged")
        before = learning.category("judged")["false_hits"]["labels"]
        right = learning.metric('cachemw_feedback_total{verdict="right"}')
        assert _judge(tenant, learning, hit.id, 1.0) == {"id": hit.id, "removed": False}
        assert ask(tenant, ASKED, "judged").layer == "exact"
    assert learning.metric('cachemw_feedback_total{verdict="right"}') == right + 1
    assert learning.category("judged")["false_hits"]["labels"] == before


@pytest.mark.parametrize(
    ("body", "field"), [({"score": 0.0}, "id"), ({"id": "x", "score": "bad"}, "score")]
)
def test_feedback_that_cannot_be_read_names_its_field(
    learning: Learning, body: dict[str, Any], field: str
) -> None:
    with learning.client("unclear") as tenant, pytest.raises(openai.BadRequestError) as caught:
        tenant.post(learning.url + "/cache/feedback", cast_to=object, body=body)
    assert caught.value.param == field
