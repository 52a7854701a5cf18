"""What runs beside the requests: whatever happens to it, the service becomes ready and serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cachemw_policies.quota import Amount

from cachemw.categories.source import PolicySource
from cachemw.changes import ChangeFeed
from cachemw.checkpoint.checkpointer import Checkpointer
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import CachemwError, StoreUnavailable
from cachemw.exact import Resident
from cachemw.gauges import Gauges
from cachemw.http.control import Readiness
from cachemw.index.partitions import IndexSettings
from cachemw.loading import LoadedInto, LoadingSettings, SemanticLoader
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import Document, Embedded, IndexRow
from cachemw.stores.memory import MemoryStore
from cachemw.stores.settings import StoreSettings
from cachemw.upkeep import Kept, Upkeep, UpkeepSettings
from cachemw.verify.settings import VerifierSettings
from tests.cachemw import parts
from tests.support.service import Clock, WordEmbedder, unit
from tests.support.tiers import exact_tier

NOWHERE = Path("/nowhere")


async def until(condition: Callable[[], bool]) -> None:
    """Poll: what is waited for happens in a task that tells nobody."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


@pytest.fixture
def clock() -> Clock:
    return Clock()


class World:
    """The upkeep with everything it looks after."""

    def __init__(
        self,
        store: MemoryStore,
        *,
        load: Callable[..., Any] | None = None,
        sweep_seconds: float = 60.0,
        source: PolicySource | None = None,
    ) -> None:
        self.store = store
        self.metrics = metrics = Metrics()
        self.readiness = Readiness()
        lru: ByteLru[Resident] = ByteLru(1 << 20)
        clock: Any = store._clock
        kept = parts.accounts(clock)
        self.known = known = parts.board(kept=kept)
        exact = exact_tier(store, clock, metrics, lru=lru, categories=known)
        self.evictor = parts.evictor(store, known, clock, Amount(100, 1 << 20))
        feed = ChangeFeed(
            store,
            exact,
            DependencyState("changes"),
            metrics,
            origin="me",
            monotonic=clock,
            follower=self.evictor.follower,
        )
        self.state = DependencyState("semantic")
        learner = parts.learner(store, known, metrics, source)
        tier = parts.semantic_tier(known, self.state, metrics, clock)
        into = LoadedInto(tier, exact, feed, learner, metrics)
        self.loader = None if load is None else _loader(into, self.state, clock, load)
        views = parts.views(known, kept, self.evictor, metrics)
        self.gauges = Gauges(store, lru, feed, self.loader, views, metrics)
        self.upkeep = Upkeep(
            UpkeepSettings(
                poll=60.0, sweep=sweep_seconds, snapshot=0.0, learn=0.01, policies=0.01, evict=0.01
            ),
            Kept(store, feed, self.loader, learner, self.evictor),
            Checkpointer(NOWHERE, IndexSettings(), StoreSettings(), metrics),
            self.gauges,
            self.readiness,
            metrics,
        )

    async def ready(self) -> None:
        await until(lambda: self.readiness.reason is None)

    async def vectors(self) -> float:
        await self.gauges.refresh()
        return self.metrics.registry.get_sample_value("cachemw_index_vectors") or 0.0

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"cachemw_{name}", labels) or 0.0


def document(number: int, *, expires: float = 2e6, fingerprint: str = "f" * 16) -> Document:
    return Document(
        key=b"%032d" % number,
        tenant="t",
        endpoint="chat.completions",
        model="m",
        created_at=1.0,
        expires_at=expires,
        prompt="q",
        body=b"{}",
        upstream_seconds=1.0,
        prompt_tokens=1,
        completion_tokens=1,
        embedded=Embedded(b"p" * 32, fingerprint, unit(number)),
    )


def _loader(
    into: LoadedInto, state: DependencyState, clock: Clock, load: Callable[..., Any]
) -> SemanticLoader:
    settings = LoadingSettings(
        NOWHERE, NOWHERE, EmbedderSettings(), IndexSettings(), VerifierSettings(), NOWHERE, 3
    )
    return SemanticLoader(settings, into, state, clock=clock, load=load, load_judge=lambda *_: None)


def _raises(error: Exception) -> Callable[..., Any]:
    def loader(*_: object) -> Any:
        raise error

    return loader


async def test_the_index_is_rebuilt_of_this_embedders_live_vectors(clock: Clock) -> None:
    world = World(MemoryStore(clock, 1 << 20), load=lambda *_: WordEmbedder())
    for number in range(5):
        await world.store.put(document(number))
    await world.store.put(document(5, fingerprint="another"))
    await world.store.put(document(6, expires=clock.now - 1))
    world.upkeep.start()
    await world.ready()
    assert await world.vectors() == 5
    await world.upkeep.aclose()


@pytest.mark.parametrize("error", [CachemwError("no model"), RuntimeError("boom"), OSError("gone")])
async def test_an_embedder_that_does_not_load_costs_hits_and_not_readiness(
    clock: Clock, error: Exception
) -> None:
    world = World(MemoryStore(clock, 1 << 20), load=_raises(error))
    world.upkeep.start()
    await world.ready()
    assert not world.state.is_up
    await world.upkeep.aclose()


class BadRows(MemoryStore):
    """A store with one vector that does not fit, and which may break off after it."""

    error: Exception | None = None

    async def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        vectors = (unit(1)[:3], unit(2))
        yield [
            IndexRow(b"%032d" % number, 2e6, Embedded(b"p" * 32, fingerprint, vector))
            for number, vector in enumerate(vectors)
        ]
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [None, StoreUnavailable("away")])
async def test_what_can_be_read_of_the_store_is_indexed(
    clock: Clock, error: Exception | None
) -> None:
    store = BadRows(clock, 1 << 20)
    store.error = error
    world = World(store, load=lambda *_: WordEmbedder())
    world.upkeep.start()
    await world.ready()
    assert await world.vectors() == 1
    assert world.state.is_up == (error is None)
    await world.upkeep.aclose()


async def test_a_store_that_fails_in_an_unforeseen_way_costs_hits_and_not_readiness(
    clock: Clock,
) -> None:
    store = BadRows(clock, 1 << 20)
    store.error = ValueError("boom")
    world = World(store, load=lambda *_: WordEmbedder())
    world.upkeep.start()
    await world.ready()
    assert not world.state.is_up
    await world.upkeep.aclose()


async def test_what_has_expired_is_swept_and_counted(clock: Clock) -> None:
    world = World(MemoryStore(clock, 1 << 20), sweep_seconds=0.01)
    await world.store.put(document(1, expires=clock.now + 5))
    await world.store.put(document(2, expires=clock.now + 500))
    world.upkeep.start()
    await world.ready()
    clock.now += 10
    await until(lambda: world.metric("evictions_total", category="default", reason="expired") > 0)
    await until(lambda: world.evictor.view()["default"].held.entries == 1)
    await world.gauges.refresh()
    assert world.metric("entries", category="default") == 1
    await world.upkeep.aclose()


class SweepFails(MemoryStore):
    """A store that cannot be swept at first."""

    sweeps = 0

    async def remove_expired(self) -> int:
        self.sweeps += 1
        if self.sweeps == 1:
            raise StoreUnavailable("away")
        if self.sweeps == 2:
            raise ValueError("boom")
        return await super().remove_expired()


async def test_sweeping_goes_on_after_any_failure(clock: Clock) -> None:
    store = SweepFails(clock, 1 << 20)
    world = World(store, sweep_seconds=0.005)
    world.upkeep.start()
    await until(lambda: store.sweeps >= 4)
    assert world.metric("store_failures_total", operation="sweep") == 2
    await world.upkeep.aclose()


async def test_it_can_be_closed_before_it_was_started(clock: Clock) -> None:
    await World(MemoryStore(clock, 1 << 20)).upkeep.aclose()


async def test_what_is_to_be_done_once_loaded_is_done_before_readiness_is_told(
    clock: Clock,
) -> None:
    world = World(MemoryStore(clock, 1 << 20))
    told: list[str | None] = []
    world.readiness = world.upkeep._readiness = Readiness(
        on_start=lambda: told.append(world.readiness.reason)
    )
    world.upkeep.start()
    await world.ready()
    assert told == ["starting"]
    await world.upkeep.aclose()


async def test_a_step_that_fails_unforeseen_does_not_end_the_learning(clock: Clock) -> None:
    world = World(MemoryStore(clock, 1 << 20), load=lambda *_: WordEmbedder())
    steps: list[int] = []

    async def step() -> None:
        steps.append(len(steps))
        if len(steps) == 1:
            raise ValueError("boom")

    world.upkeep._learner.step = step  # type: ignore[method-assign]
    world.upkeep.start()
    await until(lambda: len(steps) >= 3)
    await world.upkeep.aclose()


async def test_what_is_judged_is_learnt_from(clock: Clock) -> None:
    world = World(MemoryStore(clock, 1 << 20), load=lambda *_: WordEmbedder())
    world.upkeep.start()
    await world.ready()
    world.upkeep._learner._book.judge(parts.label(0.99, scale=world.known.scale))
    await until(lambda: world.known.standing("default").estimate.labels == 1)
    await world.upkeep.aclose()


async def test_a_changed_policy_file_comes_into_force(clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("categories: {code: {ttl: 1h}}")
    source = PolicySource(file, parts.policies())
    world = World(MemoryStore(clock, 1 << 20), source=source)
    world.upkeep.start()
    await until(lambda: "code" in world.known.policies.names)
    await world.upkeep.aclose()


async def test_a_full_store_is_emptied(clock: Clock) -> None:
    store = MemoryStore(clock, 1 << 20)
    world = World(store)
    for number in range(120):
        await store.put(document(number))
    world.upkeep.start()
    await until(lambda: len(store._entries) <= 97)
    await world.upkeep.aclose()
