"""The cache never makes things worse: whatever part of it fails, the upstream's answer comes."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cachemw.errors import IndexUnavailable, StoreUnavailable
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.stores.base import (
    ChangeBatch,
    Document,
    DocumentStore,
    EntryInfo,
    IndexRow,
    StoreStats,
    Vector,
)
from cachemw.stores.evidence import DEFAULT_BOUNDS, Evidence, EvidenceBounds
from cachemw.stores.memory import MemoryStore
from cachemw.upstreams.base import UpstreamRequest
from tests.support.asgi import AsgiReply
from tests.support.service import (
    DIMENSION,
    Assembled,
    Clock,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    text_of,
)

MARKER = "marker-7f3a9c"
BOUND = 5.0  # seconds; generous, the machine is shared
WAYS = [False, True]


class FaultyStore(DocumentStore):
    """A memory store whose operations do what a test says instead."""

    def __init__(self, clock: Clock) -> None:
        self._inner = MemoryStore(clock, 1 << 24)
        self.faults: dict[str, Callable[[], Any]] = {}

    async def _do(self, operation: str, value: Any) -> Any:
        fault = self.faults.get(operation)
        if fault is None:
            return await value
        value.close()
        outcome = fault()
        return await outcome if asyncio.iscoroutine(outcome) else outcome

    async def start(self) -> None:
        await self._inner.start()

    async def get(self, key: bytes) -> Document | None:
        found: Document | None = await self._do("get", self._inner.get(key))
        return found

    async def put(self, document: Document) -> None:
        await self._do("put", self._inner.put(document))

    async def delete(self, key: bytes) -> bool:
        return bool(await self._do("delete", self._inner.delete(key)))

    async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
        found: list[Document] = await self._do("get", self._inner.get_many(keys))
        return found

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        return await self._inner.delete_many(keys)

    def entries(self) -> AsyncIterator[list[EntryInfo]]:
        return self._inner.entries()

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        return await self._inner.entries_of(keys)

    async def newest(self) -> str:
        return await self._inner.newest()

    async def changes(self, after: str, limit: int) -> ChangeBatch:
        return await self._inner.changes(after, limit)

    async def rows_of(self, keys: Sequence[bytes], fingerprint: str) -> list[IndexRow]:
        return await self._inner.rows_of(keys, fingerprint)

    def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        return self._inner.index_rows(fingerprint)

    async def remove_expired(self) -> int:
        return int(await self._do("remove_expired", self._inner.remove_expired()))

    async def stats(self) -> StoreStats:
        stats: StoreStats = await self._do("stats", self._inner.stats())
        return stats

    def evidence(self, bounds: EvidenceBounds = DEFAULT_BOUNDS) -> Evidence:
        return self._inner.evidence(bounds)

    async def aclose(self) -> None:
        await self._inner.aclose()


class FaultyEmbedder(WordEmbedder):
    """An embedder that does what a test says instead."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Callable[[Sequence[str]], Any] | None = None
        self.cut_fault: Callable[[], bool] | None = None

    def embed(self, texts: Sequence[str]) -> Vector:
        if self.fault is None:
            return super().embed(texts)
        vectors: Vector = self.fault(texts)
        return vectors

    def cuts(self, text: str) -> bool:
        return self.cut_fault() if self.cut_fault is not None else False


class FaultyIndex(PartitionedIndex):
    """An index that does what a test says instead."""

    def __init__(self) -> None:
        super().__init__(DIMENSION, IndexSettings())
        self.faults: dict[str, Callable[[], Any]] = {}

    async def search(self, partition: bytes, vector: Vector, k: int) -> list[Any]:
        fault = self.faults.get("search")
        found: list[Any] = await super().search(partition, vector, k) if fault is None else fault()
        return found

    async def add(self, partition: bytes, key: bytes, vector: Vector, expires_at: float) -> None:
        if "add" in self.faults:
            self.faults["add"]()
        await super().add(partition, key, vector, expires_at)


def raises(error: Exception | type[Exception]) -> Callable[..., Any]:
    def fault(*_: Any) -> Any:
        raise error

    return fault


async def ask(service: Assembled, text: str, *, stream: bool, **more: Any) -> AsgiReply:
    reply = await service.client.ask(chat(text, stream=stream, **more), within=BOUND)
    assert reply.status == 200, reply.body
    assert text in text_of(reply.body)
    return reply


def state_lines(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    return Counter(r.message for r in caplog.records if r.levelno >= logging.WARNING)


async def _hang() -> None:
    await asyncio.Event().wait()


STORE_FAULTS = {
    "away": raises(StoreUnavailable("away")),
    "unforeseen": raises(ValueError(f"{MARKER} in an error's text")),
}


@pytest.mark.parametrize("stream", WAYS)
@pytest.mark.parametrize("fault", STORE_FAULTS)
@pytest.mark.parametrize("operation", ["get", "put"])
async def test_a_store_that_fails(
    operation: str, fault: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    store = FaultyStore(Clock())
    async with assembled(Parts(store=store, memory_bytes=0, embedder=WordEmbedder())) as service:
        await ask(service, "warm up", stream=stream)
        store.faults[operation] = STORE_FAULTS[fault]
        for n in range(10):
            reply = await ask(service, f"q{n} {MARKER}", stream=stream)
            assert reply.layer == "upstream"
            assert operation == "get" or not reply.stored
            await asyncio.sleep(0.01)
        failures = sum(
            service.metric("store_failures_total", operation=o) for o in ("get", "put", "keep")
        )
        down = [service.metric("dependency_up", dependency=d) for d in ("lookup", "storing")]
        assert failures >= 10 or 0.0 in down
        assert sum(state_lines(caplog).values()) == 1
        store.faults.clear()
        await ask(service, "again", stream=stream)
        await asyncio.sleep(0.01)
        assert service.metric("store_up") == 1.0
        assert service.metric("dependency_up", dependency="lookup") == 1.0
        assert service.metric("dependency_up", dependency="storing") == 1.0
        assert state_lines(caplog) == {"dependency failed": 1, "dependency is back": 1}
        await _no_marker(service, caplog)


@pytest.mark.parametrize("stream", WAYS)
async def test_a_store_that_hangs_when_it_writes(stream: bool) -> None:
    """The reply waits for the commit no longer than it may."""
    store = FaultyStore(Clock())
    store.faults["put"] = _hang
    async with assembled(Parts(store=store, commit_wait=0.01)) as service:
        for n in range(5):
            reply = await ask(service, f"q{n}", stream=stream)
            assert not reply.stored
        # The answer is there already, and so a second client need not ask upstream again.
        await ask(service, "q1", stream=stream)
        assert len(service.upstream.calls) == 5


@pytest.mark.parametrize("stream", WAYS)
@pytest.mark.parametrize("body", [b"", b"not json", b'{"choices":'])
async def test_a_store_that_returns_garbage(stream: bool, body: bytes) -> None:
    """A stream needs the parsed body. A plain hit is not parsed: the store's checksum covers it."""
    store = FaultyStore(Clock())
    async with assembled(Parts(store=store, memory_bytes=0)) as service:
        await ask(service, "hello", stream=stream)
        (kept,) = store._inner._entries.values()

        async def garbage() -> Document:
            return replace(kept.document, body=body)

        store.faults["get"] = garbage
        reply = await service.client.ask(chat("hello", stream=True), within=BOUND)
        assert "hello" in text_of(reply.body)


EMBEDDER_FAULTS: dict[str, Callable[[Sequence[str]], Any]] = {
    "raises": raises(RuntimeError(f"{MARKER} in an error's text")),
    "too few": lambda _: np.zeros((0, DIMENSION), np.float32),
    "not a number": lambda texts: np.full((len(texts), DIMENSION), np.nan, np.float32),
    "another dimension": lambda texts: np.ones((len(texts), 3), np.float32),
}


@pytest.mark.parametrize("stream", WAYS)
@pytest.mark.parametrize("fault", EMBEDDER_FAULTS)
async def test_an_embedder_that_fails(
    fault: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    embedder = FaultyEmbedder()
    async with assembled(Parts(embedder=embedder)) as service:
        await ask(service, "warm up", stream=stream)
        await asyncio.sleep(0.05)
        embedder.fault = EMBEDDER_FAULTS[fault]
        for n in range(6):
            reply = await ask(service, f"warm {n} {MARKER}", stream=stream)
            assert reply.layer == "upstream"
            await asyncio.sleep(0.02)
        # What could not be embedded is an exact hit all the same.
        assert (await ask(service, f"warm 3 {MARKER}", stream=stream)).layer == "exact"
        assert sum(state_lines(caplog).values()) <= 2  # looking up and storing
        states = ("semantic", "storing", "lookup")
        assert 0.0 in [service.metric("dependency_up", dependency=d) for d in states]
        embedder.fault = None
        await ask(service, "cold start", stream=stream)
        await asyncio.sleep(0.05)
        assert (await ask_near(service, "warm again", stream=stream)).layer == "semantic"
        await _no_marker(service, caplog)


async def ask_near(service: Assembled, text: str, *, stream: bool) -> AsgiReply:
    return await service.client.ask(chat(text, stream=stream), within=BOUND)


@pytest.mark.parametrize("stream", WAYS)
async def test_an_embedder_that_hangs(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    embedder, release = FaultyEmbedder(), threading.Event()
    async with assembled(Parts(embedder=embedder, embed_timeout=0.1)) as service:
        await ask(service, "warm up", stream=stream)
        await asyncio.sleep(0.05)
        embedder.fault = lambda _: release.wait(30)
        for n in range(4):
            assert (await ask(service, f"warm {n}", stream=stream)).layer == "upstream"
        await asyncio.sleep(0.2)
        assert (await ask(service, "warm 2", stream=stream)).layer == "exact"
        assert state_lines(caplog) == {"dependency failed": 1}
        release.set()


@pytest.mark.parametrize("stream", WAYS)
async def test_an_embedder_that_cannot_measure_a_text(stream: bool) -> None:
    embedder = FaultyEmbedder()
    embedder.cut_fault = raises(ValueError("boom"))
    async with assembled(Parts(embedder=embedder)) as service:
        assert (await ask(service, "one", stream=stream)).layer == "upstream"
        await asyncio.sleep(0.01)
        assert (await ask(service, "one", stream=stream)).layer == "exact"


INDEX_FAULTS = {
    "away": raises(IndexUnavailable("away")),
    "unforeseen": raises(ValueError(f"{MARKER} in an error's text")),
}


@pytest.mark.parametrize("stream", WAYS)
@pytest.mark.parametrize("fault", INDEX_FAULTS)
@pytest.mark.parametrize("operation", ["search", "add"])
async def test_an_index_that_fails(
    operation: str, fault: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    index = FaultyIndex()
    async with assembled(Parts(embedder=WordEmbedder(), index=index)) as service:
        await ask(service, "warm up", stream=stream)
        await asyncio.sleep(0.02)
        index.faults[operation] = INDEX_FAULTS[fault]
        if operation == "search":
            for n in range(8):
                assert (await ask(service, f"warm {n} {MARKER}", stream=stream)).layer == "upstream"
        else:
            for n in range(8):
                text = f"cold{n} {MARKER}"
                assert (await ask(service, text, stream=stream)).layer == "upstream"
                await asyncio.sleep(0.01)
                assert (await ask(service, text, stream=stream)).layer == "exact"
        assert state_lines(caplog) == {"dependency failed": 1}
        index.faults.clear()
        await ask(service, "lukewarm up", stream=stream)
        await asyncio.sleep(0.02)
        assert (await ask_near(service, "lukewarm again", stream=stream)).layer == "semantic"
        await _no_marker(service, caplog)


@pytest.mark.parametrize("stream", WAYS)
@pytest.mark.parametrize("garbage", [None, [None], [("x", 1)], 7])
async def test_an_index_that_returns_garbage(garbage: Any, stream: bool) -> None:
    index = FaultyIndex()
    async with assembled(Parts(embedder=WordEmbedder(), index=index)) as service:
        await ask(service, "warm up", stream=stream)
        await asyncio.sleep(0.02)
        index.faults["search"] = lambda: garbage
        assert (await ask(service, "warm again", stream=stream)).layer == "upstream"


STRANGE_CHUNKS: dict[str, Any] = {
    "index is a list": {"choices": [{"index": [0], "delta": {"content": "x"}}]},
    "index is a string": {"choices": [{"index": "0", "delta": {"content": "x"}}]},
    "choices is text": {"choices": "x"},
    "choice is null": {"choices": [None]},
    "delta is a list": {"choices": [{"index": 0, "delta": [1]}]},
    "tool calls are numbers": {"choices": [{"index": 0, "delta": {"tool_calls": [1, 2]}}]},
    "no delta": {"choices": [{"index": 3, "finish_reason": "stop"}]},
    "content is a number": {"choices": [{"index": 0, "delta": {"content": 1}}]},
    "usage is text": {"choices": [], "usage": "none"},
}


@pytest.mark.parametrize("chunk", STRANGE_CHUNKS)
async def test_an_upstream_with_chunks_of_a_strange_shape(chunk: str) -> None:
    """They are the client's business: passed on as they are, now and for the next client."""
    async with assembled(Parts()) as service:
        service.upstream.reply = None
        status, kind, chunks = service.upstream._echo(_call(chat("hi", stream=True)))
        strange = b"data: " + _json(STRANGE_CHUNKS[chunk]) + b"\n\n"
        sent = [*chunks[:-1], strange, chunks[-1]]
        service.upstream.reply = (status, kind, sent)
        asked = chat("hi", stream=True, stream_options={"include_usage": True})
        for _ in range(2):
            reply = await service.client.ask(asked, within=BOUND)
            assert reply.ended
            assert reply.layer == "exact" or reply.body == b"".join(sent)
            await asyncio.sleep(0.01)
        plain = await service.client.ask(chat("hi"), within=BOUND)
        assert plain.status in (200, 502)
        assert plain.json()


STRANGE_ANSWERS: dict[str, Any] = {
    "no choices": {"id": "x"},
    "choices is text": {"choices": "stop"},
    "no message": {"choices": [{"index": 0, "finish_reason": "stop"}]},
    "message is text": {"choices": [{"index": 0, "message": "x", "finish_reason": "stop"}]},
    "no index": {
        "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]
    },
    "tool calls are numbers": {
        "choices": [{"index": 0, "message": {"tool_calls": [1]}, "finish_reason": "stop"}]
    },
    "usage is text": {
        "choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}],
        "usage": "none",
    },
    "an error with status 200": {"error": {"message": "no", "type": "server_error"}},
    "a list": [1, 2],
    "null": None,
}


@pytest.mark.parametrize("answer", STRANGE_ANSWERS)
async def test_an_upstream_with_answers_of_a_strange_shape(answer: str) -> None:
    """A plain one is passed on as it is; asked for as a stream, no exception escapes."""
    async with assembled(Parts()) as service:
        body = _json(STRANGE_ANSWERS[answer])
        service.upstream.reply = (200, b"application/json", [body])
        for _ in range(2):
            reply = await service.client.ask(chat("hi"), within=BOUND)
            assert reply.status == 200
            assert reply.layer == "exact" or reply.body == body
            await asyncio.sleep(0.01)
        for text in ("hi", "new"):
            reply = await service.client.ask(chat(text, stream=True), within=BOUND)
            assert reply.ended
            assert reply.status in (200, 502)


async def test_metrics_are_there_while_the_store_fails_in_an_unforeseen_way() -> None:
    store = FaultyStore(Clock())
    store.faults["stats"] = raises(ValueError("boom"))
    async with assembled(Parts(store=store)) as service:
        reply = await service.client.get("/metrics")
        assert reply.status == 200
        assert b"cachemw_requests" in reply.body


async def test_prompts_are_in_no_log_and_in_no_metric(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store, embedder = FaultyStore(Clock()), FaultyEmbedder()
    async with assembled(Parts(store=store, embedder=embedder, max_answer_bytes=4096)) as service:
        for stream in WAYS:
            await ask(service, f"good {MARKER}", stream=stream)
        service.upstream.failure = RuntimeError(f"{MARKER} in an error's text")
        await service.client.ask(chat(f"bad {MARKER}"))
        service.upstream.failure = None
        service.upstream.reply = (200, b"text/event-stream", [f"data: {MARKER}\n\n".encode()])
        await service.client.ask(chat(f"odd {MARKER}", stream=True))
        service.upstream.reply = (500, b"application/json", [f'{{"error": "{MARKER}"}}'.encode()])
        await service.client.ask(chat(f"refused {MARKER}"))
        service.upstream.reply = (200, b"application/json", [MARKER.encode() * 2000])
        await service.client.ask(chat(f"large {MARKER}"))
        await service.client.ask(b'{"messages": "' + MARKER.encode())
        await service.client.ask({"model": 7, "messages": [MARKER]})
        await _no_marker(service, caplog)


async def _no_marker(service: Assembled, caplog: pytest.LogCaptureFixture) -> None:
    metrics = await service.client.get("/metrics")
    assert MARKER.encode() not in metrics.body
    for record in caplog.records:
        assert MARKER not in record.getMessage()
        assert MARKER not in str({k: v for k, v in vars(record).items() if k != "exc_info"})


def _json(value: Any) -> bytes:

    return json.dumps(value).encode()


def _call(body: Any) -> Any:

    return UpstreamRequest("POST", "/v1/chat/completions", b"", [], _json(body))


async def test_a_store_that_fails_is_not_asked_for_one_candidate_after_the_other() -> None:
    """Each may cost its time limit: one for the exact lookup and one for the best candidate."""
    store = FaultyStore(Clock())
    async with assembled(Parts(store=store, memory_bytes=0, embedder=WordEmbedder())) as service:
        for n in range(6):
            # Near each other, and at this threshold not near enough to be served.
            await service.client.ask(chat(f"warm {n}"), within=BOUND, x_cachemw_threshold="1.0")
            await asyncio.sleep(0.02)
        assert (await ask_near(service, "warm up", stream=False)).layer == "semantic"
        asked = 0

        def away() -> Any:
            nonlocal asked
            asked += 1
            raise StoreUnavailable("away")

        store.faults["get"] = away
        assert (await ask(service, "warm again", stream=False)).layer == "upstream"
        assert asked <= 2
