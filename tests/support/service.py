"""The service put together from parts that a test chooses: what `app.build` does, with fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from random import Random
from typing import Any

import numpy as np
from cachemw_policies.load import LoadSettings
from fastapi import APIRouter, FastAPI

from cachemw.admin.audit import Audit
from cachemw.admin.build import Copies
from cachemw.admin.fence import Fence
from cachemw.admin.routes import AdminRoutes
from cachemw.admin.service import EntryAdmin
from cachemw.admin.token import AdminToken
from cachemw.admin.wire import LineReader
from cachemw.ask import AskReader
from cachemw.calls import Calls, CallSettings
from cachemw.changes import ChangeFeed
from cachemw.directives import Mode
from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.endpoints.table import endpoints
from cachemw.exact import ExactTier, Resident
from cachemw.fetch import Fetcher
from cachemw.flight import Flights
from cachemw.forward import Forwarder
from cachemw.gauges import Gauges
from cachemw.http.control import Readiness, control_app
from cachemw.http.messages import BodyMemory
from cachemw.http.surface import Surface
from cachemw.identity.base import Identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.keep import Keeper, KeepSettings
from cachemw.load import UpstreamLoad
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.models import ModelList
from cachemw.path import RequestPath
from cachemw.replay import Replayer, ReplaySettings
from cachemw.semantic import SemanticParts, SemanticSettings, SemanticTier
from cachemw.send import Sender
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore, Vector
from cachemw.stores.memory import MemoryStore
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.router import Backend, Price, Router
from tests.support.asgi import AsgiClient

DIMENSION = 32
ADMIN_TOKEN = "the-admin-token-of-the-tests"
Json = dict[str, Any]


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def unit(*parts: object) -> Vector:
    """Return a unit vector that depends on `parts` alone."""
    seed = int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    normal: Vector = vector / np.linalg.norm(vector)
    return normal


class WordEmbedder:
    """Texts that begin with the same word are near (0.99), all others far."""

    name = "by first word"
    fingerprint = "f" * 16
    dimension = DIMENSION
    runtime = "none"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vector:
        """Embed."""
        self.texts += texts
        rows = [unit(text.split()[0]) + 0.1 * unit(text) for text in texts]
        stacked: Vector = np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)
        return stacked

    def cuts(self, text: str) -> bool:
        """No limit."""
        return False

    def close(self) -> None:
        """Nothing to release."""


class EchoUpstream(Upstream):
    """Answers chat requests with their question, plain or as a stream.

    `gate` holds every call back until it is set, `between` is awaited before every chunk, `reply`
    replaces the answer: status, content type, chunks.
    """

    name = "echo"

    def __init__(self) -> None:
        self.calls: list[UpstreamRequest] = []
        self.gate: asyncio.Event | None = None
        self.between: Callable[[int], Any] | None = None
        self.reply: tuple[int, bytes, list[bytes]] | None = None
        self.failure: Exception | None = None
        self.closed = 0

    async def start(self) -> None:
        """Nothing to begin."""

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Answer."""
        self.calls.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        status, content_type, chunks = self.reply or self._echo(request)
        return UpstreamReply(status, [(b"content-type", content_type)], self._chunks(chunks))

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _chunks(self, chunks: list[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            for number, chunk in enumerate(chunks):
                if self.between is not None:
                    await self.between(number)
                yield chunk
        finally:
            self.closed += 1

    def _echo(self, request: UpstreamRequest) -> tuple[int, bytes, list[bytes]]:
        if not request.body:
            return 200, b"text/plain", [b"ok"]
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        text = f"Answer {len(self.calls)} to {asked['messages'][-1].get('content')}"
        if asked.get("stream"):
            usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            return 200, b"text/event-stream", stream_of(text, asked["model"], usage=usage)
        return 200, b"application/json", [json.dumps(plain_of(text, asked["model"])).encode()]


def plain_of(text: str, model: str = "m") -> Json:
    """Return a chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
    }


def stream_of(text: str, model: str = "m", *, usage: bool = True) -> list[bytes]:
    """Return the same as SSE events, a word each."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in text.replace(" ", " \0").split("\0")]
    events: list[Json] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        events.append({**head, "choices": [], "usage": plain_of("")["usage"]})
    return [b"data: %s\n\n" % json.dumps(event).encode() for event in events] + [
        b"data: [DONE]\n\n"
    ]


def text_of(body: bytes) -> str:
    """Return what an answer says, plain or streamed."""
    if not body.startswith(b"data:"):
        return str(json.loads(body)["choices"][0]["message"]["content"])
    events = [line[6:] for line in body.split(b"\n\n") if line and line != b"data: [DONE]"]
    choices = [choice for event in events for choice in json.loads(event).get("choices", [])]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def chat(text: str, **more: Any) -> Json:
    """Return the body of a chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


@dataclass
class Assembled:
    """The service, and the parts of it that tests look at."""

    client: AsgiClient
    surface: Surface
    metrics: Metrics
    store: DocumentStore
    upstream: EchoUpstream
    flights: Flights
    readiness: Readiness
    clock: Clock
    semantic: SemanticTier | None = None
    index: PartitionedIndex | None = None
    embedder: Embedder | None = None

    def metric(self, name: str, **labels: str) -> float:
        """Return a sample's value, 0 where there is none yet."""
        self.metrics.fold()
        return self.metrics.registry.get_sample_value(f"cachemw_{name}", labels) or 0.0


@dataclass
class Parts:
    """What a test may put in place of the real thing."""

    store: DocumentStore | None = None
    embedder: Any = None
    index: Any = None
    upstream: EchoUpstream = field(default_factory=EchoUpstream)
    backends: Sequence[Backend] = ()
    clock: Clock = field(default_factory=Clock)
    identity: Identity = field(default_factory=PassedThrough)
    memory_bytes: int = 1 << 20
    max_answer_bytes: int = 1 << 20
    body_bytes: int = 1 << 24
    commit_wait: float = 5.0
    follower_wait: float = 30.0
    embed_timeout: float = 0.3
    threshold: float = 0.93


@asynccontextmanager
async def assembled(parts: Parts) -> AsyncIterator[Assembled]:
    """Put the service together and take it down."""
    metrics, clock, upstream = Metrics(), parts.clock, parts.upstream
    store = parts.store or MemoryStore(clock, 1 << 24)
    lru: ByteLru[Resident] = ByteLru(parts.memory_bytes)
    exact = ExactTier(lru, store, DependencyState("store", metrics.store_up.set), metrics, clock)
    state = _state("semantic", metrics)
    embedder = parts.embedder
    semantic = batcher = index = None
    if embedder is not None:
        semantic = SemanticTier(SemanticSettings(parts.threshold, 8, 2000), exact, state, metrics)
        batcher = MicroBatcher(embedder, timeout_s=parts.embed_timeout)
        await batcher.start()
        index = parts.index
        if index is None:
            index = PartitionedIndex(embedder.dimension, IndexSettings())
        semantic.attach(SemanticParts(embedder, batcher, index))
    router = Router(parts.backends or [Backend(upstream, prices={"m": Price(1.0, 2.0)})])
    fence = Fence(clock, asyncio.get_running_loop().time)
    keeper = _keeper(parts, exact, semantic, metrics, fence)
    load = UpstreamLoad(metrics, asyncio.get_running_loop().time, LoadSettings())
    sender = Sender(router, load)
    fetcher = Fetcher(sender, keeper, max_event_bytes=parts.max_answer_bytes)
    flights = Flights(parts.max_answer_bytes, 1 << 30)
    replayer = Replayer(ReplaySettings(), metrics, clock=clock, rng=Random(1))
    settings = CallSettings(parts.follower_wait, parts.commit_wait)
    calls = Calls(settings, flights, fetcher, replayer, metrics)
    forwarder = Forwarder(router, sender, metrics)
    asks = AskReader(
        router,
        ceiling=Mode.FULL,
        max_body_bytes=1 << 20,
        bodies=BodyMemory(parts.body_bytes),
        key_headers=("openai-beta",),
        monotonic=asyncio.get_running_loop().time,
    )
    path = RequestPath(asks, exact, semantic, replayer, calls, forwarder, _state("lookup", metrics))
    readiness = Readiness()
    feed = ChangeFeed(
        store, exact, _state("changes", metrics), metrics, origin="test", monotonic=clock
    )
    gauges = Gauges(store, lru, feed, None, metrics)
    table = endpoints()
    admin = _admin(store, exact, semantic, fence, clock)
    control = control_app(metrics, readiness, table, _no_lifespan, gauges.refresh, [admin])
    models = ModelList(router, forwarder)
    surface = Surface(
        parts.identity,
        table,
        path.answer,
        models.reply,
        forwarder.passthrough,
        control,
        metrics,
        asyncio.get_running_loop().time,
    )
    client = AsgiClient(surface, {"authorization": "Bearer sk-alice"})
    try:
        yield Assembled(
            client,
            surface,
            metrics,
            store,
            upstream,
            flights,
            readiness,
            clock,
            semantic,
            index,
            embedder,
        )
    finally:
        await flights.drain(0.0)
        if batcher is not None:
            await batcher.aclose()
        if isinstance(index, PartitionedIndex):
            await index.aclose()


def _keeper(
    parts: Parts,
    exact: ExactTier,
    semantic: SemanticTier | None,
    metrics: Metrics,
    fence: Fence,
) -> Keeper:
    settings = KeepSettings(3600.0, parts.max_answer_bytes, store_truncated=False)
    state = _state("storing", metrics)
    return Keeper(settings, exact, semantic, metrics, parts.clock, state, fence)


def _admin(
    store: DocumentStore,
    exact: ExactTier,
    semantic: SemanticTier | None,
    fence: Fence,
    clock: Clock,
) -> APIRouter:
    copies = Copies(exact, semantic)
    reader = LineReader({each.name: each for each in endpoints().values()}, 1 << 20)
    entries = EntryAdmin(store, reader, fence, clock, forget=copies.forget, learn=copies.learn)
    token = AdminToken(sha256(ADMIN_TOKEN.encode()).hexdigest())
    return AdminRoutes(entries, token, Audit(clock), 1 << 22).router()


def _state(name: str, metrics: Metrics) -> DependencyState:
    return DependencyState(name, metrics.dependency_up.labels(name).set)


@asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
