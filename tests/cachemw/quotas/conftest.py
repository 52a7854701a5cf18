"""Stores, ledgers and evictors on a clock that tests move."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet, Quota
from cachemw_policies.quota import Amount

from cachemw.quotas.evictor import Evictor, EvictorSettings
from cachemw.quotas.follow import Follower
from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from cachemw.states import DependencyState
from cachemw.stores.base import Document, DocumentStore, EntryInfo
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from tests.support import redis_server as servers

NOW = 1_795_000_000.0
redis_server = servers.redis_server


class Clock:
    """Unix seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(number: int, kind: str = "a") -> bytes:
    """Return a key that spreads over shards, as hashes do."""
    return sha256(f"{kind}{number}".encode()).digest()


def info(number: int, category: str = "a", size: int = 100, ends: float = 3600.0) -> EntryInfo:
    return EntryInfo(key(number, category), "t", "chat", "m", category, (), NOW, NOW + ends, size)


def document(number: int, category: str = "a", **fields: Any) -> Document:
    values: dict[str, Any] = {
        "key": key(number, category),
        "tenant": "t",
        "endpoint": "chat.completions",
        "model": "m",
        "created_at": NOW,
        "expires_at": NOW + 3600,
        "prompt": "",
        "body": b'{"n":%d}' % number,
        "upstream_seconds": 1.0,
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "category": category,
    }
    return Document(**(values | fields))


def policies(**quotas: Quota) -> PolicySet:
    of = {name: CategoryPolicy(name, quota=quota) for name, quota in quotas.items()}
    return PolicySet(MappingProxyType({"default": CategoryPolicy("default")} | of))


@dataclass
class Heard:
    """What an evictor told others."""

    forgotten: list[bytes] = field(default_factory=list)
    counted: dict[tuple[str, str], int] = field(default_factory=dict)

    async def forget(self, keys: Sequence[bytes]) -> None:
        self.forgotten += keys

    def evicted(self, category: str, reason: str, count: int) -> None:
        self.counted[category, reason] = self.counted.get((category, reason), 0) + count


@dataclass
class Worker:
    """One process's part: a store, its ledger, and who evicts."""

    store: DocumentStore
    ledger: Ledger
    follower: Follower
    evictor: Evictor
    heard: Heard
    state: DependencyState

    async def put(self, one: Document, saved: float | None = None) -> None:
        """Store a document as the service does: the ledger hears of it with a rough size."""
        await self.store.put(one)
        self.ledger.put(EntryInfo.of(one, 200 + len(one.body)), saved)

    async def step(self) -> int:
        return await self.evictor.step()

    async def held(self) -> dict[str, int]:
        """Return how many documents of each category the store really has."""
        counts: dict[str, int] = {}
        async for batch in self.store.entries():
            for entry in batch:
                counts[entry.category] = counts.get(entry.category, 0) + 1
        return counts


Join = Callable[..., Worker]


@pytest.fixture
def join(clock: Clock) -> Join:
    """Return a maker of workers on an open store."""

    def make(
        store: Any, capacity: Amount, chosen: PolicySet | None = None, **settings: Any
    ) -> Worker:
        ledger = Ledger(capacity, Ghosts(1024))
        follower = Follower(ledger, store)
        heard, state = Heard(), DependencyState("eviction")
        evictor = Evictor(
            EvictorSettings(capacity, **settings),
            store,
            ledger,
            follower,
            lambda: chosen or PolicySet(),
            heard,
            state,
            clock,
        )
        return Worker(store, ledger, follower, evictor, heard, state)

    return make


@pytest.fixture
async def open_store(tmp_path: Path, clock: Clock) -> AsyncIterator[Callable[..., Any]]:
    """Return an opener: awaited with a kind and changed settings it gives a started store."""
    namespace = f"test-{secrets.token_hex(8)}"
    async with AsyncExitStack() as stack:

        async def opened(kind: str, **changed: Any) -> DocumentStore:
            options: dict[str, Any] = {
                "kind": kind,
                "path": tmp_path / "answers.sqlite3",
                "namespace": namespace,
                "timeout_s": 30.0,
                "write_timeout_s": 30.0,
                "queue_limit": 4096,
            }
            store = make_store(StoreSettings(**(options | changed)), clock, lambda _: None)
            await store.start()
            stack.push_async_callback(store.aclose)
            return store

        yield opened
