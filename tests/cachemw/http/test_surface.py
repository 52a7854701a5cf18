"""The surface: what is served where, in which shape, and what the metrics say of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys, key_digest
from tests.support.asgi import AsgiClient, AsgiReply
from tests.support.service import ADMIN_TOKEN, Assembled, Clock, Parts, assembled, chat, text_of

# The contract of architecture.md, as far as it exists.
CONTRACT = (
    "requests_total",
    "request_duration_seconds",
    "time_to_first_token_seconds",
    "stage_duration_seconds",
    "entries",
    "bytes",
    "evictions_total",
    "store_skipped_total",
    "saved_seconds_total",
    "saved_usd_total",
    "saved_tokens_total",
    "semantic_similarity",
    "threshold",
    "upstream_requests_total",
    "upstream_duration_seconds",
    "upstream_in_flight",
    "singleflight_followers_total",
    "singleflight_takeovers_total",
    "store_up",
)


@pytest.fixture
async def service() -> AsyncIterator[Assembled]:
    async with assembled(Parts()) as made:
        yield made


def error_of(reply: AsgiReply) -> dict[str, str]:
    error: dict[str, str] = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize("path", ["/", "/nowhere", "/v2/chat/completions", "/cache/nothing"])
async def test_an_unknown_path(service: Assembled, path: str) -> None:
    reply = await service.client.get(path)
    assert (reply.status, error_of(reply)["code"]) == (404, "not_found")
    assert not service.upstream.calls


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/embeddings", "/responses"])
async def test_a_base_url_without_v1_gets_a_hint(service: Assembled, path: str) -> None:
    reply = await service.client.ask(chat("hi"), path)
    assert reply.status == 404
    assert f"/v1{path}" in error_of(reply)["message"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_a_method_that_is_not_allowed(service: Assembled, path: str) -> None:
    reply = await service.client.get(path, method="DELETE")
    assert (reply.status, error_of(reply)["code"]) == (405, "method_not_allowed")


async def test_health_and_readiness(service: Assembled) -> None:
    async def states() -> tuple[int, int, str]:
        health = await service.client.get("/healthz")
        ready = await service.client.get("/readyz")
        return health.status, ready.status, ready.json()["status"]

    assert await states() == (200, 503, "starting")
    service.readiness.started = True
    assert await states() == (200, 200, "ready")
    service.readiness.draining = True
    assert await states() == (200, 503, "draining")


async def test_the_metrics_of_the_contract_exist(service: Assembled) -> None:
    reply = await service.client.get("/metrics")
    assert reply.header("content-type").startswith("text/plain")
    types = [line.split()[2] for line in reply.body.decode().splitlines() if "# TYPE" in line]
    assert {f"cachemw_{name}" for name in CONTRACT} <= set(types)


async def test_counters_move_with_each_layer(service: Assembled) -> None:
    await service.client.ask(chat("hi"))
    await service.client.ask(chat("hi"))
    await service.client.ask(chat("hi"), x_cachemw_mode="off")
    await service.client.ask(b"{")
    await service.client.get("/v1/files")
    labels = {"endpoint": "chat.completions", "category": "default"}
    counted = {
        (layer, status): service.metric("requests_total", layer=layer, status=status, **labels)
        for layer, status in (("upstream", "200"), ("exact", "200"), ("refused", "400"))
    }
    assert counted == {("upstream", "200"): 2, ("exact", "200"): 1, ("refused", "400"): 1}
    assert service.metric("upstream_requests_total", model="m", status="200") == 2
    assert service.metric("upstream_requests_total", model="passthrough", status="200") == 1
    assert service.metric("upstream_in_flight", model="m") == 0
    assert service.metric("saved_tokens_total", kind="prompt") == 3
    assert service.metric("saved_tokens_total", kind="completion") == 5
    assert service.metric("saved_usd_total") == pytest.approx((3 * 1.0 + 5 * 2.0) / 1e6)
    assert service.metric("request_duration_seconds_count", layer="exact") == 1
    assert service.metric("time_to_first_token_seconds_count", layer="exact") == 1
    await service.client.get("/metrics")
    assert service.metric("entries", category="default") == 1


async def test_labels_that_clients_choose_are_bounded(service: Assembled) -> None:
    for number in range(150):
        await service.client.ask(chat("hi", model=f"model-{number}"))
    models = {
        sample.labels["model"]
        for metric in service.metrics.registry.collect()
        for sample in metric.samples
        if "model" in sample.labels
    }
    assert len(models) <= 102
    assert "other" in models


async def test_the_description_of_the_api(service: Assembled) -> None:
    document = (await service.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    proxied = {"chat/completions", "completions", "embeddings", "responses"}
    expected = {f"/v1/{name}" for name in proxied} | {"/healthz", "/readyz", "/metrics"}
    assert expected <= set(document["paths"])
    operations = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    ]
    assert len(operations) == len(set(operations))


async def test_feedback_is_for_clients_and_the_rest_of_its_folder_for_the_admin() -> None:
    keys = VirtualKeys([VirtualKey(key_digest("sk-alice"), "alice")], Clock())
    async with assembled(Parts(identity=keys)) as service:
        body = {"id": "chatcmpl-unknown", "score": 1}
        known = await service.client.ask(body, "/cache/feedback")
        assert (known.status, error_of(known)["code"]) == (404, "not_found")
        labels = {"endpoint": "feedback", "category": "default", "layer": "refused"}
        assert service.metric("requests_total", status="404", **labels) == 1
        admin = AsgiClient(service.surface, {"authorization": f"Bearer {ADMIN_TOKEN}"})
        refused = await admin.ask(body, "/cache/feedback")
        assert (refused.status, service.metric("requests_total", status="401", **labels)) == (
            401,
            1,
        )
        assert (await service.client.get("/cache/categories")).status == 401
        shown = await admin.get("/cache/categories")
        assert (shown.status, "default" in str(shown.json())) == (200, True)
        assert not service.upstream.calls


async def test_requests_are_counted_by_their_category(service: Assembled) -> None:
    await service.client.ask(chat("hi"), x_cachemw_category="default")
    refused = await service.client.ask(chat("hi"), x_cachemw_category="nonsense")
    assert (refused.status, error_of(refused)["param"]) == (400, "x-cachemw-category")
    labels = {"endpoint": "chat.completions", "category": "default"}
    assert service.metric("requests_total", layer="upstream", status="200", **labels) == 1
    # No name that a client makes up becomes a label.
    assert service.metric("requests_total", layer="refused", status="400", **labels) == 1


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/files/x"])
async def test_what_is_not_a_cached_call_passes_through(
    service: Assembled, method: str, path: str
) -> None:
    service.upstream.reply = (204, b"text/plain", [])
    reply = await service.client.get(path, method=method)
    assert (reply.status, reply.body) == (204, b"")
    (call,) = service.upstream.calls
    assert (call.method, call.path, call.raw) == (method, path, True)
    assert reply.header("cache-status") == "cachemw; fwd=bypass"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_while_the_upstream_works_is_noticed(
    service: Assembled, stream: bool
) -> None:
    service.upstream.gate = asyncio.Event()
    body = json.dumps(chat("hi", stream=stream)).encode()
    leaves = service.client.start("POST", "/v1/chat/completions", body)
    stays = service.client.start("POST", "/v1/chat/completions", body)
    await asyncio.sleep(0.01)
    leaves.hang_up()
    gone = await leaves.done()
    assert gone.status == 0
    labels = {"endpoint": "chat.completions", "category": "default", "layer": "upstream"}
    assert service.metric("requests_total", status="499", **labels) == 1
    service.upstream.gate.set()
    assert "hi" in text_of((await stays.done()).body)
    await asyncio.sleep(0.01)
    assert (await service.client.ask(chat("hi"))).layer == "exact"
    assert len(service.upstream.calls) == 1
    assert service.metric("stored_total", category="default") == 1


async def test_the_only_client_leaves_in_the_middle_of_a_stream(service: Assembled) -> None:
    gate = asyncio.Event()

    async def between(number: int) -> None:
        if number == 2:
            await gate.wait()

    service.upstream.between = between
    body = json.dumps(chat("hi", stream=True)).encode()
    exchange = service.client.start("POST", "/v1/chat/completions", body)
    await asyncio.sleep(0.01)
    exchange.hang_up()
    assert not (await exchange.done()).ended
    labels = {"endpoint": "chat.completions", "category": "default", "layer": "upstream"}
    assert service.metric("requests_total", status="499", **labels) == 1
    gate.set()
    await asyncio.sleep(0.01)
    assert (await service.client.ask(chat("hi"))).layer == "exact"


@pytest.mark.parametrize("name", ["m\r\nset-cookie: a=b", "m\nx", "m\x00", "模型", "m\x7f"])
async def test_a_model_name_cannot_write_headers(service: Assembled, name: str) -> None:
    for layer in ("upstream", "exact"):
        reply = await service.client.ask(chat("hi", model=name))
        assert reply.layer == layer
        for _, value in reply.headers:
            assert not any(ord(character) < 32 or ord(character) == 127 for character in value)


async def test_two_headers_of_one_name_are_both_heard(service: Assembled) -> None:
    body = json.dumps(chat("hi")).encode()
    headers = [(b"cache-control", b"no-store"), (b"cache-control", b"max-age=60")]
    await service.client.start("POST", "/v1/chat/completions", body, headers).done()
    await asyncio.sleep(0.01)
    assert service.metric("store_skipped_total", reason="no_store") == 1


async def test_large_bodies_beyond_their_memory_are_refused_and_the_memory_comes_back() -> None:
    async with assembled(Parts(body_bytes=5000)) as service:

        async def ask(text: str) -> AsgiReply:
            body = json.dumps(chat(text)).encode()
            path = "/v1/chat/completions"
            return await service.client.start("POST", path, body, pieces=2).done()

        refused = await ask("x" * 6000)
        assert (refused.status, refused.header("retry-after")) == (503, "1")
        for _ in range(3):
            assert (await ask("y" * 4000)).status == 200
