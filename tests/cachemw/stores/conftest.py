"""Stores to run the shared suite on, a clock that tests move, and documents to put in."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cachemw.stores.base import Document, DocumentStore, Embedded
from cachemw.stores.codec import DocumentCodec, shipped_dictionary
from cachemw.stores.memory import MemoryStore
from cachemw.stores.redis import make_redis_store
from cachemw.stores.redis_store import RedisStore
from cachemw.stores.settings import StoreSettings
from cachemw.stores.sqlite import SqliteStore
from tests.support import redis_server as servers

NOW = 1_795_000_000.0


class FakeClock:
    """Unix seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def codec() -> DocumentCodec:
    return DocumentCodec(shipped_dictionary(), level=3, max_bytes=1 << 20)


@pytest.fixture
def corrupt() -> list[bytes]:
    """Keys that a store reported as damaged."""
    return []


MakeDocument = Callable[..., Document]


@pytest.fixture
def make_document() -> MakeDocument:
    """Return a maker of documents: `make_document(number, **fields)`."""

    def make(number: int = 0, **fields: Any) -> Document:
        document = Document(
            key=number.to_bytes(32, "big"),
            tenant="tenant",
            endpoint="/v1/chat/completions",
            model="model",
            created_at=NOW - 1,
            expires_at=NOW + 3600,
            prompt=f"question {number}",
            body=b'{"object":"chat.completion","n":%d}' % number,
            upstream_seconds=0.75,
            prompt_tokens=7,
            completion_tokens=11,
            tags=("a", "ünïcode"),
            category="factual",
        )
        return replace(document, **fields)

    return make


@pytest.fixture
def make_embedded() -> Callable[..., Embedded]:
    """Return a maker of embeddings: `make_embedded(number, fingerprint)`."""

    def make(number: int = 0, fingerprint: str = "minilm-1") -> Embedded:
        values = np.random.default_rng(number).standard_normal(8).astype(np.float32)
        return Embedded(bytes([number % 256]) * 32, fingerprint, values)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where `open_sqlite` puts its file."""
    return tmp_path / "cache" / "answers.sqlite3"


@pytest.fixture
def change_file(path: Path) -> Callable[..., None]:
    """Return a runner of SQL statements on the file behind the store's back."""

    def change(*statements: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change


@pytest.fixture
async def open_sqlite(
    path: Path, codec: DocumentCodec, clock: FakeClock, corrupt: list[bytes]
) -> AsyncIterator[Callable[..., Any]]:
    """Return an opener: awaited with changed settings it gives a started store, closed later."""
    async with AsyncExitStack() as stack:

        async def open_store(**changed: Any) -> SqliteStore:
            options: dict[str, Any] = {
                "path": path,
                "max_bytes": 1 << 26,
                # Generous: a loaded machine must not fail a test of something else.
                "timeout_s": 30.0,
                "write_timeout_s": 30.0,
                "queue_limit": 4096,
            }
            settings = StoreSettings(**(options | changed))
            store = SqliteStore(settings, codec=codec, clock=clock, on_corrupt=corrupt.append)
            await store.start()
            stack.push_async_callback(store.aclose)
            return store

        yield open_store


@pytest.fixture
async def open_memory(clock: FakeClock) -> Callable[..., Any]:
    async def open_store(max_bytes: int = 1 << 26, **_of_a_log: Any) -> MemoryStore:
        store = MemoryStore(clock, max_bytes)
        await store.start()
        return store

    return open_store


redis_server = servers.redis_server
redis_cluster = servers.redis_cluster


@pytest.fixture
def own_server() -> Iterator[servers.RedisServer]:
    """Return a Redis server that the test may flush, pause and kill."""
    servers.need_redis()
    with servers.RedisServer() as server:
        yield server
        server.resume_if_paused()


@pytest.fixture
async def open_redis_at(
    clock: FakeClock, corrupt: list[bytes]
) -> AsyncIterator[Callable[..., Any]]:
    """Return an opener of a Redis store at a URL, in a namespace of the test's own."""
    namespace = f"test-{secrets.token_hex(8)}"
    async with AsyncExitStack() as stack:

        async def open_store(
            url: str, opened: Callable[[RedisStore], None] = lambda _: None, **changed: Any
        ) -> RedisStore:
            options: dict[str, Any] = {
                "kind": "redis",
                "url": url,
                "namespace": namespace,
                "timeout_s": 30.0,
                "write_timeout_s": 30.0,
                "queue_limit": 4096,
            }
            settings = StoreSettings(**(options | changed))
            store = make_redis_store(settings, clock, corrupt.append)
            stack.push_async_callback(store.aclose)
            opened(store)  # also where the start fails
            await store.start()
            return store

        yield open_store


@pytest.fixture
def open_redis(
    redis_server: servers.RedisServer, open_redis_at: Callable[..., Any]
) -> Callable[..., Any]:
    return partial(open_redis_at, redis_server.url)


@pytest.fixture
def open_redis_cluster(
    redis_cluster: servers.RedisClusterServers, open_redis_at: Callable[..., Any]
) -> Callable[..., Any]:
    return partial(open_redis_at, redis_cluster.url, cluster=True)


#: Every store passes the shared suite; another one needs a fixture as above and its name here.
STORES: Mapping[str, str] = MappingProxyType(
    {
        "memory": "open_memory",
        "sqlite": "open_sqlite",
        "redis": "open_redis",
        "redis_cluster": "open_redis_cluster",
    }
)


#: Those that several processes open, and that have a change log therefore.
DURABLE = tuple(name for name in sorted(STORES) if name != "memory")
#: Those that bound and sweep themselves: a server does it by its own means and clock.
LOCAL = ("memory", "sqlite")


@pytest.fixture(params=sorted(STORES))
def open_store(request: pytest.FixtureRequest) -> Any:
    """Return the opener of every store in turn.

    Each takes `max_bytes`, `origin` and `changes_kept`, and opens the same store every time (if it
    is durable).
    """
    return request.getfixturevalue(STORES[request.param])


@pytest.fixture(params=DURABLE)
def open_durable(request: pytest.FixtureRequest) -> Any:
    """Return the opener of every durable store in turn; see `open_store`."""
    return request.getfixturevalue(STORES[request.param])


@pytest.fixture(params=LOCAL)
def open_local(request: pytest.FixtureRequest) -> Any:
    """Return the opener of every store that keeps its own bounds in turn; see `open_store`."""
    return request.getfixturevalue(STORES[request.param])


@pytest.fixture
async def store(open_store: Callable[..., Any]) -> DocumentStore:
    opened: DocumentStore = await open_store()
    return opened


@pytest.fixture
def same() -> Callable[[Document | None, Document], bool]:
    """Compare documents and the type of their vectors, which `==` does not look at."""

    def compare(left: Document | None, right: Document) -> bool:
        if left is None or left != right:
            return False
        return left.embedded is None or left.embedded.vector.dtype == np.float32

    return compare
