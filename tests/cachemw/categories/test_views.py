"""What an operator sees of each category is what the parts know."""

from __future__ import annotations

import pytest
from cachemw_policies.adaptation import AdaptationSettings
from cachemw_policies.category import CategoryPolicy, Quota
from cachemw_policies.decision import Bar, CategoryState
from cachemw_policies.load import LoadSettings
from cachemw_policies.quota import Amount

from cachemw.categories import board
from cachemw.categories.board import Categories, Standing
from cachemw.categories.views import shown
from cachemw.levels import LoadLevels
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from cachemw.stores.memory import MemoryStore
from tests.cachemw import parts
from tests.cachemw.quotas.conftest import document
from tests.cachemw.test_levels import route
from tests.support.service import Clock

CODE = CategoryPolicy(
    "code", threshold=0.9, ttl=100.0, ttl_overload=300.0, quota=Quota(0.5, 1.0), delta_overload=0.1
)


class World:
    """Views of a board with `default` and `code`, over a store of a hundred documents."""

    def __init__(self) -> None:
        self.clock = Clock(1_795_000_000.0)
        self.metrics = Metrics()
        self.kept = parts.accounts(self.clock)
        self.store = MemoryStore(self.clock, 1 << 20)
        self.known: Categories = parts.board(parts.policies(CODE), kept=self.kept)
        self.evictor = parts.evictor(self.store, self.known, self.clock, Amount(100, 1 << 20))
        self.load = UpstreamLoad(self.metrics, self.clock, LoadSettings())
        settings = AdaptationSettings(rise_s=1.0)
        self.levels = LoadLevels(self.load, settings, {"upstream": 1}, self.clock)
        self.views = parts.views(self.known, self.kept, self.evictor, self.metrics, self.levels)

    def overload(self) -> None:
        """Let three calls be under way where one is taken, for as long as it takes."""
        for _ in range(3):
            self.load.call("m")
        for _ in range(3):
            self.levels.of(route())
            self.clock.now += 1.0
        assert self.levels.highest == 1.0

    def gauge(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"cachemw_{name}", labels)


async def test_all_categories_of_the_file_in_its_order_also_those_of_nothing() -> None:
    default, code = World().views.view()
    assert (default.policy.name, code.policy.name) == ("default", "code")
    assert code.policy == CODE
    assert (code.entries, code.bytes, code.share, code.lookups, code.hits) == (0, 0, 0.0, 0, 0)
    assert (code.hit_rate, code.false_hits.ratio, code.benefit.verdict) == (None, None, "unknown")
    assert (code.paused, code.load, code.ttl) == (False, 0.0, 100.0)


async def test_what_it_holds_of_the_store() -> None:
    world = World()
    for number in range(30):
        await world.store.put(document(number, "code"))
    await world.evictor.step()
    default, code = world.views.view()
    assert code.entries == 30
    assert code.bytes == (await world.store.stats()).stored_bytes
    assert code.share == pytest.approx(code.bytes / (1 << 20))
    # Less a little room that eviction makes; `default` has no guarantee to set against it.
    assert code.entitlement == pytest.approx(0.96)
    assert 0 < default.entitlement < code.entitlement


async def test_what_lookups_won_and_cost() -> None:
    world = World()
    world.kept.note("code", 0.5)
    world.kept.note("code", 0.5, saved_seconds=3.0, saved_usd=0.25)
    code = world.views.view()[1]
    assert (code.lookups, code.hits, code.hit_rate) == (2, 1, 0.5)
    assert code.benefit.seconds == pytest.approx(2.0)
    assert code.benefit.usd == pytest.approx(0.25, abs=0.001)


async def test_a_paused_category_says_so() -> None:
    world = World()
    for _ in range(50):
        world.kept.note("code", 1.0)
    assert [view.paused for view in world.views.view()] == [False, True]


async def test_what_is_known_of_wrong_answers() -> None:
    world = World()
    for number in range(10):
        world.known.learn(parts.label(0.99, category="code", right=number > 0))
    world.known.refresh()
    found = world.views.view()[1].false_hits
    assert (found.ratio, found.labels) == (0.1, 10)
    assert 0 < found.low < 0.1 < found.high < 1


async def test_thresholds_and_ttls_are_those_in_force_under_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    normal, overload = Bar(0.9, "calibrated", 7, 1), Bar(0.8, "calibrated", 9, 2)
    state = CategoryState(normal, overload)
    standing = Standing(state, world.known.standing("code").estimate)
    monkeypatch.setattr(world.known, "standing", lambda _: standing)
    calm = world.views.view()[1]
    assert (calm.threshold, calm.ttl, calm.normal, calm.overload) == (0.9, 100.0, normal, overload)
    world.overload()
    loaded = world.views.view()[1]
    assert loaded.threshold == pytest.approx(0.8)
    assert (loaded.load, loaded.ttl) == (1.0, 300.0)


async def test_a_category_without_semantic_hits_has_no_threshold() -> None:
    world = World()
    world.known.use(parts.policies(CategoryPolicy("code", delta=0.0)), None)
    assert world.views.view()[1].threshold is None


async def test_gauges() -> None:
    world = World()
    for number in range(3):
        await world.store.put(document(number, "code"))
    await world.evictor.step()
    world.kept.note("code", 0.5, saved_seconds=3.0)
    world.overload()
    world.views.gauges()
    assert world.gauge("entries", category="code") == 3
    assert (world.gauge("category_bytes", category="code") or 0) > 0
    assert world.gauge("entries", category="default") == 0
    assert world.gauge("load_level", model="m") == 1.0
    sample = world.metrics.net_seconds.labels("code")._value.get()
    assert sample == pytest.approx(2.5)


async def test_documents_of_a_category_that_is_gone_are_not_shown() -> None:
    world = World()
    await world.store.put(document(1, "gone"))
    await world.evictor.step()
    world.views.gauges()
    assert [view.policy.name for view in world.views.view()] == ["default", "code"]


def test_what_is_worked_out_is_shown_at_once() -> None:
    metrics = Metrics()
    estimate = board.Estimate(0.1, 0.05, 0.2, 40, 4)
    shown(metrics, "code", Standing(CategoryState(Bar(0.9, ""), Bar(None, "")), estimate))

    def value(gauge: str) -> float:
        return float(getattr(metrics, gauge).labels("code")._value.get())

    assert (value("threshold"), value("threshold_overload")) == (0.9, 1.01)
    found = [value(name) for name in ("false_hits", "false_hits_low", "false_hits_high")]
    assert found == [0.1, 0.05, 0.2]
