"""The admin endpoints over real stores, and documents to put in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet, Quota
from cachemw_policies.decision import Bar
from fastapi import FastAPI

from cachemw.admin.audit import Audit
from cachemw.admin.categories import Benefit, CategoriesSource, CategoryView, Estimate
from cachemw.admin.fence import Fence
from cachemw.admin.labels import LabelImports
from cachemw.admin.routes import AdminRoutes
from cachemw.admin.service import EntryAdmin
from cachemw.admin.token import AdminToken
from cachemw.admin.wire import LineReader
from cachemw.endpoints.table import endpoints
from cachemw.http.control import Readiness, control_app
from cachemw.metrics import Metrics
from cachemw.stores.base import Document, DocumentStore, Embedded
from cachemw.stores.evidence import Evidence
from cachemw.stores.memory import MemoryStore
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from tests.support import redis_server as servers
from tests.support.asgi import AsgiClient, AsgiReply
from tests.support.service import Clock, plain_of, unit

TOKEN = "the-admin-token-of-this-test"
MAX_BODY = 1 << 16
MAX_LINE = 1 << 18


def document(number: int = 0, **fields: Any) -> Document:
    """Return a document that could have been stored by a chat request."""
    body = endpoints()["/v1/chat/completions"].pack(plain_of(f"Answer {number}"))
    made = Document(
        key=sha256(b"%d" % number).digest(),
        tenant="alice",
        endpoint="chat.completions",
        model="m",
        created_at=1_000_000.0 - number - 0.1,
        expires_at=1_100_000.0,
        prompt=f"Question {number}? \u2028 Grüße",
        body=body,
        upstream_seconds=0.75,
        prompt_tokens=7,
        completion_tokens=11,
        tags=("a", "ü"),
    )
    return replace(made, **fields)


def embedded(number: int = 0) -> Embedded:
    """Return a place in the index."""
    return Embedded(sha256(b"p%d" % number).digest(), "f" * 16, unit("v", number))


def category_view(name: str = "code", **fields: Any) -> CategoryView:
    """Return a category of which something is known."""
    view = CategoryView(
        policy=CategoryPolicy(name, quota=Quota(0.1, 0.5), examples=("How do I sort a list?",)),
        entries=1200,
        bytes=3_400_000,
        share=0.125,
        entitlement=0.25,
        lookups=800,
        hits=200,
        threshold=0.9125,
        normal=Bar(0.93, "calibrated", labels=412, errors=6),
        overload=Bar(0.86, "calibrated", labels=520, errors=21),
        load=0.25,
        ttl=86_400.0,
        false_hits=Estimate(0.015, 0.005, 0.032, labels=412),
        benefit=Benefit(seconds=1234.5, usd=0.75, verdict="earning"),
        paused=False,
    )
    return replace(view, **fields)


@dataclass(frozen=True)
class SomeCategories:
    """A source of what a test says."""

    views: tuple[CategoryView, ...]

    def view(self) -> Sequence[CategoryView]:
        """Return it."""
        return self.views


@dataclass
class InForce:
    """What labels have to fit, as a test says."""

    scale: str = "verifier-1"
    policies: PolicySet = field(
        default_factory=lambda: PolicySet(
            {name: CategoryPolicy(name) for name in ("code", "default")}
        )
    )


@dataclass
class Admin:
    """The endpoints, and what they did to the rest of the process."""

    app: FastAPI
    store: DocumentStore
    clock: Clock
    fence: Fence
    entries: EntryAdmin
    in_force: InForce
    evidence: Evidence
    forgotten: list[bytes] = field(default_factory=list)
    learnt: list[Document] = field(default_factory=list)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = b"",
        *,
        query: str = "",
        headers: dict[str, str] | None = None,
        token: str | None = TOKEN,
    ) -> AsgiReply:
        """Send a request with the token and wait for its reply."""
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        named = dict(headers or {})
        if token is not None:
            named["authorization"] = f"Bearer {token}"
        pairs = [(k.encode(), v.encode()) for k, v in named.items()]
        client = AsgiClient(self.app)
        return await client.start(method, path, sent, pairs, query=query.encode()).done()

    async def lines(self, path: str, query: str = "") -> list[Any]:
        """Return the lines of a list or an export."""
        reply = await self.call("GET", path, query=query)
        assert reply.status == 200, reply.body
        assert reply.header("content-type") == "application/x-ndjson"
        return [orjson.loads(line) for line in reply.body.splitlines()]

    async def ids(self, query: str = "") -> set[str]:
        """Return the ids of what matches."""
        lines = await self.lines("/cache/entries", query)
        assert len({line["id"] for line in lines}) == len(lines)
        return {line["id"] for line in lines}

    async def put(self, *documents: Document) -> list[Document]:
        """Store documents."""
        for each in documents:
            await self.store.put(each)
        return list(documents)


def admin_over(
    store: DocumentStore,
    clock: Clock,
    sha: str | None = None,
    categories: CategoriesSource | None = None,
) -> Admin:
    """Join the endpoints as app.py does."""
    fence = Fence(clock, time.monotonic)
    forgotten: list[bytes] = []
    learnt: list[Document] = []

    async def forget(keys: Sequence[bytes]) -> None:
        forgotten.extend(keys)

    async def learn(one: Document) -> None:
        learnt.append(one)

    reader = LineReader({e.name: e for e in endpoints().values()}, MAX_BODY)
    entries = EntryAdmin(store, reader, fence, clock, forget=forget, learn=learn)
    token = AdminToken(sha256(TOKEN.encode()).hexdigest() if sha is None else sha or None)
    in_force, evidence = InForce(), store.evidence()
    labels = LabelImports(evidence.append, in_force)
    routes = AdminRoutes(entries, token, Audit(time.monotonic), MAX_LINE, categories, labels)
    app = control_app(
        Metrics(), Readiness(), endpoints(), _no_lifespan, _nothing, [routes.router()]
    )
    return Admin(app, store, clock, fence, entries, in_force, evidence, forgotten, learnt)


@pytest.fixture
def clock() -> Clock:
    return Clock()


redis_server = servers.redis_server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[DocumentStore]:
    kind = request.param
    settings = StoreSettings(
        kind=kind,
        path=tmp_path / "answers.sqlite3",
        # Generous: a loaded machine must not fail a test of something else.
        timeout_s=30.0,
        write_timeout_s=30.0,
        url=request.getfixturevalue("redis_server").url if kind == "redis" else None,
        namespace=f"admin-{uuid4().hex}",
    )
    made = make_store(settings, clock, lambda _: None)
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def admin(store: DocumentStore, clock: Clock) -> Admin:
    return admin_over(store, clock)


@pytest.fixture
async def memory_admin(clock: Clock) -> Admin:
    """Return the same over one store, where it does not matter which."""
    return admin_over(MemoryStore(clock, 1 << 28), clock)


@asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


async def _nothing() -> None:
    pass
