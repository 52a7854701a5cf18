"""Figures looked up on demand; what cannot be looked up does not hide the others."""

from __future__ import annotations

from cachemw_policies.quota import Amount

from cachemw.changes import ChangeFeed
from cachemw.errors import StoreUnavailable
from cachemw.exact import ExactTier, Resident
from cachemw.gauges import Gauges
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.quotas.evictor import Evictor
from cachemw.states import DependencyState
from cachemw.stores.base import StoreStats
from cachemw.stores.memory import MemoryStore
from tests.cachemw import parts
from tests.cachemw.checkpoint.conftest import document
from tests.support.service import Clock
from tests.support.tiers import exact_tier


class NoStats(MemoryStore):
    async def stats(self) -> StoreStats:
        raise StoreUnavailable("away")


def world(store: MemoryStore, clock: Clock) -> tuple[Metrics, ExactTier, Gauges, Evictor]:
    metrics = Metrics()
    lru: ByteLru[Resident] = ByteLru(1 << 20)
    kept = parts.accounts(clock)
    known = parts.board(kept=kept)
    exact = exact_tier(store, clock, metrics, lru=lru, categories=known)
    evictor = parts.evictor(store, known, clock, Amount(100, 1 << 20))
    feed = ChangeFeed(
        store,
        exact,
        DependencyState("store"),
        metrics,
        origin="x",
        monotonic=clock,
        follower=evictor.follower,
    )
    views = parts.views(known, kept, evictor, metrics)
    return metrics, exact, Gauges(store, lru, feed, None, views, metrics), evictor


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.fold()
    return metrics.registry.get_sample_value(f"cachemw_{name}", labels)


async def test_sizes_are_looked_up() -> None:
    clock = Clock()
    metrics, exact, gauges, evictor = world(MemoryStore(clock, 1 << 20), clock)
    await exact.put(document(1))
    await evictor.step()
    clock.now += 7
    await gauges.refresh()
    assert value(metrics, "entries", category="default") == 1
    assert (value(metrics, "bytes", tier="memory") or 0) > 100
    assert value(metrics, "changes_lag_seconds") == 7
    assert (value(metrics, "shared_bytes", tier="store") or 0) > 100


async def test_a_store_that_is_away_hides_its_own_figures_alone() -> None:
    clock = Clock()
    metrics, exact, gauges, _ = world(NoStats(clock, 1 << 20), clock)
    await exact.put(document(1))
    await gauges.refresh()
    assert (value(metrics, "bytes", tier="memory") or 0) > 100
    assert value(metrics, "store_failures_total", operation="stats") == 1
