"""Virtual keys: who is let in, who shares, what it may cost, and who sees the key."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx
import openai
import pytest
from openai import AzureOpenAI, OpenAI

from cachemw.app import build
from cachemw.config import load_config
from tests.contract.conftest import Question, as_json
from tests.support.chat import WAYS, plain
from tests.support.fakes import RunningFake
from tests.support.servers import ServerThread

ANN, ALSO_ANN, BOB, FEW, SMALL = (
    f"sk-cachemw-{name}" for name in ("ann", "also", "bob", "few", "small")
)
KEYS = (ANN, ALSO_ANN, BOB, FEW, SMALL)
# A token a minute: one answer and the key is spent for as long as the tests run.
LIMITS: dict[str, dict[str, int]] = {FEW: {"rpm": 2}, SMALL: {"tpm": 1}, BOB: {"rpm": 9, "tpm": 99}}
TENANTS = {ANN: "research", ALSO_ANN: "research", BOB: "sales", FEW: "few", SMALL: "small"}


@pytest.fixture
def guarded(fake: RunningFake) -> Iterator[str]:
    """Serve cachemw with virtual keys, in front of an upstream that needs none; its URL."""
    keys: list[dict[str, Any]] = [
        {
            "name": key,
            "sha256": sha256(key.encode()).hexdigest(),
            "tenant": TENANTS[key],
            **LIMITS.get(key, {}),
        }
        for key in KEYS
    ]
    config = load_config(
        {
            "mode": "exact",
            "upstreams": [{"name": "fake", "base_url": fake.url + "/v1", "models": ["*"]}],
            "store": {"kind": "memory"},
            "identity": {"keys": keys},
        },
        env={},
    )
    with ServerThread(build(config, env={}).asgi) as server:
        yield server.url


def client(url: str, key: str) -> OpenAI:
    return OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)


def calls_for(fake: RunningFake, question: Question) -> list[Any]:
    return [seen for seen in tuple(fake.record.requests) if question.text in str(seen.body)]


def mode_of(name: str) -> dict[str, str]:
    return {"x-cachemw-mode": name}


PATHS = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/x"),
    ("DELETE", "/v1/files/x"),
    ("GET", "/v1/chat/completions"),
    ("OPTIONS", "/v1/anything"),
    ("POST", "/v1/chat/completions/"),
    ("POST", "/%76%31/chat/completions"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_a_key_nothing_goes_anywhere(
    guarded: str, fake: RunningFake, question: Question, method: str, path: str
) -> None:
    for headers in ({}, {"authorization": "Bearer sk-alice"}, {"api-key": "x", "x-api-key": "y"}):
        body = as_json(question.chat()) | {"input": "x", "prompt": "x"}
        answer = httpx.request(method, guarded + path, json=body, headers=headers)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (401, "invalid_api_key")
        assert set(error) == {"message", "type", "param", "code"}
        assert answer.headers["www-authenticate"] == "Bearer"
    assert not calls_for(fake, question)


def test_the_official_clients_error(guarded: str, question: Question) -> None:
    with client(guarded, "sk-unknown") as nobody, pytest.raises(openai.AuthenticationError):
        plain(nobody, **question.chat())


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/openapi.json"])
def test_health_and_metrics_stay_open(guarded: str, path: str) -> None:
    assert httpx.get(guarded + path).status_code == 200


@pytest.mark.parametrize("way", WAYS)
def test_keys_of_a_tenant_share_and_others_do_not(
    guarded: str, question: Question, way: str
) -> None:
    with client(guarded, ANN) as ann, client(guarded, ALSO_ANN) as also:
        assert WAYS[way](ann, **question.chat()).layer == "upstream"
        assert WAYS[way](also, **question.chat()).layer == "exact"
    with client(guarded, BOB) as bob:
        assert WAYS[way](bob, **question.chat()).layer == "upstream"
        named = {"x-cachemw-scope": "name:research"}
        assert WAYS[way](bob, **question.chat(), extra_headers=named).layer == "upstream"


def test_azures_client(guarded: str) -> None:
    with AzureOpenAI(
        base_url=guarded + "/v1", api_key=ANN, api_version="2026-01-01", max_retries=0
    ) as azure:
        assert list(azure.models.list())


def test_no_credential_of_a_client_leaves(
    guarded: str, fake: RunningFake, question: Question
) -> None:
    headers = {
        "authorization": f"Bearer {ANN}",
        "api-key": ANN,
        "x-goog-api-key": "somebody's",
        "ocp-apim-subscription-key": "somebody's",
    }
    chat, stream = as_json(question.chat()), {"stream": True, "temperature": 0.5}
    earlier = len(fake.record.requests)
    with httpx.Client(base_url=guarded, headers=headers) as http:
        for more, mode in (({}, "exact"), (stream, "exact"), ({}, "off"), (stream, "off")):
            sent = http.post("/v1/chat/completions", json=chat | more, headers=mode_of(mode))
            assert sent.status_code == 200
        http.post("/v1/moderations", json={"input": question.text})
        assert http.get("/v1/models").status_code == 200
    seen = list(fake.record.requests)[earlier:]
    assert len(seen) == 6
    for call in seen:
        assert "authorization" not in call.headers
        assert not any("api-key" in name or "subscription" in name for name in call.headers)
        assert ANN not in str(call)


def test_a_budget_of_requests_counts_hits_too(guarded: str, question: Question) -> None:
    with client(guarded, FEW) as few:
        assert plain(few, **question.chat()).layer == "upstream"
        assert plain(few, **question.chat()).layer == "exact"
        with pytest.raises(openai.RateLimitError) as caught:
            plain(few, **question.chat())
        assert caught.value.code == "rate_limit_exceeded"
        told = caught.value.response.headers
        assert 1 <= int(told["retry-after"]) <= 30
        assert told["x-ratelimit-remaining-requests"] == "0"
        # Whatever is asked for counts, and is refused.
        with pytest.raises(openai.RateLimitError):
            few.models.list()
    metrics = httpx.get(guarded + "/metrics").text
    assert 'cachemw_refused_total{reason="rate_limit_exceeded"} 2.0' in metrics
    assert 'layer="refused",status="429"' in metrics


@pytest.mark.parametrize("directives", [{}, {"x-cachemw-mode": "off"}])
@pytest.mark.parametrize("way", WAYS)
def test_a_budget_of_tokens(
    guarded: str, question: Question, way: str, directives: dict[str, str]
) -> None:
    """What an upstream has spent is charged, kept or not, streamed or not."""
    with client(guarded, SMALL) as small:
        WAYS[way](small, **question.chat(), extra_headers=directives)
        with pytest.raises(openai.RateLimitError) as caught:
            WAYS[way](small, **question.chat(), extra_headers=directives)
    assert "tokens" in caught.value.message
    assert int(caught.value.response.headers["retry-after"]) > 60


def test_tokens_of_other_apis_count(guarded: str, question: Question) -> None:
    with client(guarded, SMALL) as small:
        small.embeddings.create(**question.embedding())
        with pytest.raises(openai.RateLimitError):
            small.embeddings.create(**question.embedding())


def test_hits_cost_no_tokens(guarded: str, question: Question) -> None:
    with client(guarded, BOB) as bob:

        def asked() -> tuple[int, int]:
            reply = bob.chat.completions.with_raw_response.create(**question.chat())
            left = int(reply.headers["x-ratelimit-remaining-tokens"])
            usage = reply.parse().usage
            assert usage is not None
            return left, usage.total_tokens

        left, spent = asked()
        assert 99 - spent <= left < 99
        for _ in range(5):
            assert asked()[0] >= left


def test_no_key_in_logs_metrics_or_errors(
    guarded: str, question: Question, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    digests = [sha256(key.encode()).hexdigest() for key in KEYS]
    wrong = "sk-cachemw-wrong"
    texts = []
    with httpx.Client(base_url=guarded) as http:
        for key in (*KEYS, wrong):
            headers = {"authorization": f"Bearer {key}"}
            for _ in range(3):
                answer = http.post(
                    "/v1/chat/completions", json=as_json(question.chat()), headers=headers
                )
                texts.append(answer.text + str(answer.headers))
        texts.append(http.get("/metrics").text)
    texts += [str(record.__dict__) for record in caplog.records if record.name != "httpx"]
    for secret in (*KEYS, *digests, wrong):
        assert not any(secret in text for text in texts)
