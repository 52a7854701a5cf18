"""What broke in other caches, one test a line (design: "What broke elsewhere").

Left out until it exists here: what concerns Redis and several workers (a dead Redis that hangs
every request, invalidation undone by a restart, counters that are wrong with several workers). The
same faults of the store that does exist are tested.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from cachemw.errors import StoreUnavailable
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.lru import ByteLru
from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from tests.support.asgi import AsgiClient, AsgiReply
from tests.support.service import (
    DIMENSION,
    Assembled,
    Clock,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    plain_of,
    text_of,
    unit,
)


class BrokenStore(MemoryStore):
    """A store that is away."""

    async def get(self, key: bytes) -> Document | None:
        raise StoreUnavailable("away")

    async def put(self, document: Document) -> None:
        raise StoreUnavailable("away")


@pytest.fixture
async def service() -> AsyncIterator[Assembled]:
    """Return the service with a semantic tier in which texts of one first word are near."""
    async with assembled(Parts(embedder=WordEmbedder())) as made:
        yield made


async def ask(service: Assembled, body: Any, **headers: str) -> AsgiReply:
    """Ask, and let what runs beside the reply come to its end."""
    encoded = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    data = json.dumps(body).encode()
    reply = await service.client.start("POST", "/v1/chat/completions", data, encoded).done()
    for _ in range(100):
        if not len(service.flights):
            break
        await asyncio.sleep(0.005)
    return reply


async def test_an_upstreams_400_is_not_replayed_as_200(service: Assembled) -> None:
    body = json.dumps({"error": {"message": "no", "type": "x", "param": None, "code": None}})
    service.upstream.reply = (400, b"application/json", [body.encode()])
    for _ in range(2):
        reply = await ask(service, chat("hi"))
        assert (reply.status, reply.layer, reply.body) == (400, "upstream", body.encode())
    assert len(service.upstream.calls) == 2


async def test_no_hit_across_tenants(service: Assembled) -> None:
    await ask(service, chat("reset my password"))
    stranger = AsgiClient(service.surface, {"authorization": "Bearer sk-mallory"})
    for text in ("reset my password", "reset a password"):
        reply = await stranger.ask(chat(text), cache_control="no-store")
        assert reply.layer == "upstream"


async def test_no_hit_across_system_prompts(service: Assembled) -> None:
    def asked(system: str, text: str) -> dict[str, Any]:
        user = {"role": "user", "content": text}
        return {"model": "m", "messages": [{"role": "system", "content": system}, user]}

    await ask(service, asked("Be kind.", "reset my password"))
    assert (await ask(service, asked("Be kind.", "reset a password"))).layer == "semantic"
    for text in ("reset my password", "reset a password"):
        reply = await ask(service, asked("Be rude.", text), cache_control="no-store")
        assert reply.layer == "upstream"


async def test_a_tool_loop_does_not_replay_stale_calls(service: Assembled) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    await ask(service, chat("weather in Paris", tools=tools))
    assert (await ask(service, chat("weather in Rome", tools=tools))).layer == "upstream"
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}

    def loop(result: str) -> dict[str, Any]:
        messages = [
            {"role": "user", "content": "weather in Paris"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": result},
        ]
        return {"model": "m", "messages": messages, "tools": tools}

    await ask(service, loop("sunny"))
    assert (await ask(service, loop("rainy"))).layer == "upstream"


async def test_a_stream_is_replayed_in_pieces_with_usage_and_tool_calls(service: Assembled) -> None:
    answer = plain_of("a long answer " * 20)
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    answer["choices"][0]["message"]["tool_calls"] = [call]
    service.upstream.reply = (200, b"application/json", [json.dumps(answer).encode()])
    await ask(service, chat("hi"))
    reply = await ask(service, chat("hi", stream=True, stream_options={"include_usage": True}))
    assert reply.layer == "exact"
    assert text_of(reply.body) == "a long answer " * 20
    assert len([chunk for chunk in reply.chunks if chunk]) > 10
    events = [json.loads(c[6:]) for c in reply.body.split(b"\n\n") if c.startswith(b"data: {")]
    assert events[-1]["usage"] == answer["usage"]
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    fragments = [f for delta in deltas for f in delta.get("tool_calls") or []]
    assert "".join(f["function"]["arguments"] for f in fragments) == '{"a": 1}'


async def test_an_orphan_that_is_pending_hides_no_good_entry(service: Assembled) -> None:
    await ask(service, chat("hi"))
    service.upstream.gate = asyncio.Event()
    # A call of the same key that never comes back, made by a client that wants a new answer.
    body = json.dumps(chat("hi")).encode()
    orphan = service.client.start(
        "POST", "/v1/chat/completions", body, [(b"cache-control", b"no-cache")]
    )
    await asyncio.sleep(0.01)
    assert (await service.client.ask(chat("hi"))).layer == "exact"
    orphan.hang_up()
    await orphan.done()
    assert (await service.client.ask(chat("hi"))).layer == "exact"


async def test_eviction_does_not_wipe_the_index() -> None:
    index = PartitionedIndex(DIMENSION, IndexSettings(max_vectors=10))
    for number in range(100):
        await index.add(b"p", b"%d" % number, unit(number), 2e9)
        assert len(index) == min(number + 1, 10)
    found = {candidate.key for candidate in await index.search(b"p", unit(99), 10)}
    assert found == {b"%d" % number for number in range(90, 100)}
    await index.aclose()


async def test_expired_entries_are_not_found(service: Assembled) -> None:
    await ask(service, chat("reset my password"))
    service.clock.now += 3601
    for text in ("reset my password", "reset a password"):
        reply = await ask(service, chat(text), cache_control="no-store")
        assert reply.layer == "upstream"


async def test_max_age_counts_from_when_the_answer_was_generated(service: Assembled) -> None:
    await ask(service, chat("reset my password"))
    service.clock.now += 100
    hit = await ask(service, chat("reset my password"))
    assert hit.header("age") == "100"
    service.clock.now += 100
    for text in ("reset my password", "reset a password"):
        old = await ask(service, chat(text), cache_control="max-age=150, no-store")
        assert old.layer == "upstream"
        young = await ask(service, chat(text), cache_control="max-age=250, no-store")
        assert young.layer != "upstream"


async def test_a_question_is_embedded_once_on_a_miss(service: Assembled) -> None:
    embedder = service.embedder
    assert isinstance(embedder, WordEmbedder)
    await ask(service, chat("reset my password"))
    await ask(service, chat("reset a password"))
    await ask(service, chat("other question"))
    texts = ["reset my password", "reset a password", "other question"]
    assert embedder.texts == texts


async def test_a_store_that_is_down_hangs_nobody() -> None:
    async with assembled(Parts(store=BrokenStore(Clock(), 1), memory_bytes=0)) as service:
        for stream in (False, True):
            reply = await service.client.ask(chat("hi", stream=stream), within=5.0)
            assert "hi" in text_of(reply.body)


async def test_every_failure_reaches_the_state_of_the_store() -> None:
    """A swallowed exception kept the breaker of another cache from opening."""
    async with assembled(Parts(store=BrokenStore(Clock(), 1), memory_bytes=0)) as service:
        for number in range(5):
            await ask(service, chat(f"q{number}"))
        assert service.metric("store_up") == 0.0
        assert service.metric("store_failures_total", operation="get") == 5
        assert service.metric("store_failures_total", operation="put") == 5


async def test_no_log_line_per_request_while_the_store_is_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with assembled(Parts(store=BrokenStore(Clock(), 1), memory_bytes=0)) as service:
        for number in range(20):
            await ask(service, chat(f"q{number}"))
    assert [record.message for record in caplog.records] == ["dependency failed"]


async def test_memory_is_bounded() -> None:
    lru: ByteLru[bytes] = ByteLru(1000)
    for number in range(500):
        lru.put(b"%d" % number, b"", 90)
        assert lru.bytes <= 1000
    async with assembled(Parts(memory_bytes=20_000, embedder=WordEmbedder())) as service:
        for number in range(60):
            await ask(service, chat(f"q{number}"))
        await service.client.get("/metrics")
        assert 0 < service.metric("bytes", tier="memory") <= 20_000
        assert len(service.flights) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            [{"role": "user", "content": "a\nuser: b"}],
            [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        ),
        (
            [{"role": "user", "content": "x", "name": "y"}],
            [{"role": "user", "content": "x name: y"}],
        ),
    ],
)
async def test_no_key_is_built_by_joining_names_and_values(
    service: Assembled, one: list[dict[str, str]], other: list[dict[str, str]]
) -> None:
    await ask(service, {"model": "m", "messages": one}, x_cachemw_mode="exact")
    reply = await ask(service, {"model": "m", "messages": other}, x_cachemw_mode="exact")
    assert reply.layer == "upstream"


async def test_the_history_is_part_of_the_key_and_not_the_last_message_alone(
    service: Assembled,
) -> None:
    def asked(before: str, last: str) -> dict[str, Any]:
        said = [("user", before), ("assistant", "ok"), ("user", last)]
        return {"model": "m", "messages": [{"role": r, "content": c} for r, c in said]}

    await ask(service, asked("I use Linux", "remove a file"))
    assert (await ask(service, asked("I use Linux", "remove files"))).layer == "semantic"
    for last in ("remove a file", "remove files"):
        reply = await ask(service, asked("I use Windows", last), cache_control="no-store")
        assert reply.layer == "upstream"


async def test_another_embedding_model_does_not_mix_its_vectors(service: Assembled) -> None:
    await ask(service, chat("reset my password"))
    ours = WordEmbedder.fingerprint
    batches = [rows async for rows in service.store.index_rows(ours)]
    assert [len(rows) for rows in batches] == [1]
    assert np.isclose(np.linalg.norm(batches[0][0].embedded.vector), 1.0)
    assert not [rows async for rows in service.store.index_rows("another")]
