"""One semantic lookup: what is searched, decided, noted and booked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Outcome
from cachemw_policies.thresholds import GuaranteeSettings

from cachemw.ask import Ask, Asked
from cachemw.categories.board import BoardSettings
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.lookup import Circumstances, Lookup, LookupSettings, Place
from cachemw.metrics import Metrics
from cachemw.replay import Hit
from cachemw.states import DependencyState
from cachemw.stores.memory import MemoryStore
from cachemw.upstreams.router import Price
from cachemw.weigh import Weigher
from tests.cachemw import parts
from tests.cachemw.quotas.conftest import NOW, document
from tests.cachemw.test_learner import Says
from tests.support.checks import ask_for
from tests.support.service import DIMENSION, Clock, WordEmbedder
from tests.support.tiers import exact_tier

CODE = CategoryPolicy("code", threshold=0.9, ttl=3600.0, ttl_overload=7200.0)
STORED, ASKED = "How do I bake bread?", "How can I bake bread?"
PARTITION = b"p" * 32
SERVING = BoardSettings(GuaranteeSettings(cold_start="threshold"))


class World:
    """Lookups over an index and a store; the score is the cosine, every call takes a second."""

    def __init__(self, policy: CategoryPolicy = CODE, settings: BoardSettings = SERVING) -> None:
        self.clock = Clock(NOW)
        self.metrics = Metrics()
        self.kept = parts.accounts(self.clock)
        chosen = parts.policies(policy)
        self.known = parts.board(chosen, settings=settings, kept=self.kept)
        self.known.use(chosen, Says(chosen))
        self.store = MemoryStore(self.clock, 1 << 20)
        self.index = PartitionedIndex(DIMENSION, IndexSettings())
        exact = exact_tier(self.store, self.clock, self.metrics, categories=self.known)
        weigher = Weigher(
            exact, None, DependencyState("v"), self.metrics, most=3, english_only=False
        )
        self.place = Place(self.index, weigher)
        self.embedder = WordEmbedder()
        around = Circumstances(self.known, self.kept, self.clock, self.passing)
        self.lookup = Lookup(LookupSettings(0.75, 8), around, self.metrics)
        self.moment = 0.0

    def passing(self) -> float:
        self.moment += 1.0
        return self.moment

    async def put(self, text: str = STORED, number: int = 0, **fields: Any) -> bytes:
        made = document(number, "code", prompt=text, **fields)
        await self.store.put(made)
        vector = self.embedder.embed([text])[0]
        await self.index.add(PARTITION, made.key, vector, made.expires_at)
        return made.key

    async def run(
        self, text: str = ASKED, named: str | None = None, load: float = 0.0, **headers: str
    ) -> Ask:
        ask = await ask_for(text, **headers)
        ask.named, ask.load = named, load
        ask.category = named or "default"
        ask.route = replace(
            ask.route, backend=replace(ask.route.backend, prices={"m": Price(1e6, 2e6)})
        )
        self.hit = await self.look(ask)
        return ask

    async def look(self, ask: Ask) -> Hit | None:
        question = ask.endpoint.question(ask.params)
        assert question is not None
        vector = self.embedder.embed([question.text])[0]
        asked = Asked(question.text, PARTITION)
        return await self.lookup.run(ask, asked, vector, self.place, self.moment)

    def outcome(self, ask: Ask) -> Outcome:
        assert ask.decision is not None
        self.metrics.fold()
        labels = {"category": ask.category, "outcome": ask.decision.outcome.value}
        name = "cachemw_semantic_decisions_total"
        assert self.metrics.registry.get_sample_value(name, labels), "it is counted"
        return ask.decision.outcome


async def test_a_hit_is_noted_counted_and_booked() -> None:
    world = World()
    stored = await world.put(upstream_seconds=4.0, prompt_tokens=3, completion_tokens=5)
    ask = await world.run()
    hit = world.hit
    assert hit is not None
    assert (hit.resident.document.key, hit.layer, ask.category) == (stored, "semantic", "code")
    assert world.outcome(ask) is Outcome.SERVED
    assert ask.near is not None
    assert (ask.near.document.key, ask.near.category, ask.near.weight) == (stored, "code", 1.0)
    assert (ask.near.score, ask.near.scale) == (hit.similarity, parts.SCALE)
    totals = world.kept.view()["code"].totals
    assert (totals.lookups, totals.hits, totals.cost_s, totals.saved_s) == (1, 1, 1.0, 4.0)
    assert totals.saved_usd == pytest.approx(13.0)


async def test_nothing_near_costs_too() -> None:
    world = World()
    await world.put()
    ask = await world.run("Something else altogether")
    assert (world.hit, ask.near) == (None, None)
    assert world.outcome(ask) is Outcome.NOTHING_NEAR
    assert world.kept.view()["code"].totals.cost_s == 1.0


async def test_what_is_not_served_is_kept_for_the_answer_to_judge() -> None:
    world = World(replace(CODE, threshold=0.9999))
    stored = await world.put()
    ask = await world.run()
    assert world.hit is None
    assert world.outcome(ask) is Outcome.BELOW
    assert ask.near is not None
    assert ask.near.document.key == stored


@pytest.mark.parametrize(("threshold", "weight"), [(0.9, 1.0), (0.9999, 0.25)])
async def test_a_label_weighs_what_a_check_of_a_hit_would(
    threshold: float, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(replace(CODE, threshold=threshold))
    monkeypatch.setattr(world.known, "shadow_rate", lambda *_: 0.25)
    await world.put()
    ask = await world.run()
    assert ask.near is not None
    assert ask.near.weight == weight


async def test_probation_serves_nothing_and_its_candidates_are_labels_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(settings=BoardSettings(GuaranteeSettings(cold_start="probation")))
    monkeypatch.setattr(world.known, "shadow_rate", lambda *_: 0.25)
    await world.put()
    ask = await world.run()
    assert (world.hit, world.outcome(ask)) == (None, Outcome.BELOW)
    assert ask.near is not None
    assert ask.near.weight == 1.0


async def test_what_a_guard_objects_to_is_no_label() -> None:
    world = World()
    await world.put("How do I bake 3 breads?")
    ask = await world.run("How do I bake 4 breads?")
    assert world.outcome(ask) is Outcome.GUARDED
    assert (world.hit, ask.near) == (None, None)


async def test_a_document_that_is_gone_leaves_the_index() -> None:
    world = World()
    stored = await world.put()
    await world.store.delete(stored)
    ask = await world.run()
    assert world.outcome(ask) is Outcome.NOTHING_NEAR
    assert not world.index.holds(stored)


async def test_only_the_nearest_few_are_read() -> None:
    world = World()
    world.lookup._settings = LookupSettings(0.75, 2)
    read: list[int] = []
    weigh = world.place.weigher.weigh

    async def noted(asked: str, candidates: Any) -> Any:
        read.append(len(candidates))
        return await weigh(asked, candidates)

    world.place.weigher.weigh = noted  # type: ignore[method-assign]
    for number in range(5):
        await world.put(f"How do I bake bread number {number}?", number)
    await world.run()
    assert read == [2]


async def test_the_category_that_a_client_names_goes_before_the_classifiers() -> None:
    world = World()
    await world.put()
    assert (await world.run(named="default")).category == "default"
    assert (await world.run()).category == "code"


async def test_a_client_wants_more_similarity_or_a_younger_answer() -> None:
    world = World()
    await world.put(created_at=NOW - 50)
    ask = await world.run(x_cachemw_threshold="0.9999")
    assert (world.hit, world.outcome(ask)) == (None, Outcome.NOTHING_NEAR)
    ask = await world.run(cache_control="max-age=49")
    assert (world.hit, world.outcome(ask)) == (None, Outcome.STALE)
    await world.run(cache_control="max-age=51")
    assert world.hit is not None


async def test_load_makes_older_answers_servable() -> None:
    world = World()
    await world.put(created_at=NOW - 4000, expires_at=NOW + 4000)
    ask = await world.run()
    assert world.outcome(ask) is Outcome.STALE
    ask.load = 1.0
    hit = await world.look(ask)
    assert hit is not None
    assert hit.load == 1.0


@pytest.mark.parametrize("policy", [{"delta": 0.0}, {"allow_caching": False}])
async def test_a_category_that_may_not_have_hits_is_not_searched(policy: dict[str, Any]) -> None:
    world = World(replace(CODE, **policy))
    await world.put()
    world.place = Place(None, world.place.weigher)  # type: ignore[arg-type]
    ask = await world.run()
    assert (world.hit, world.outcome(ask)) == (None, Outcome.NOT_ALLOWED)
    assert not world.lookup.worthwhile(await world.run(named="code"))


async def test_personal_questions_are_not_compared_where_answers_are_personal() -> None:
    personal = "How do I pay? My card number is 4111 1111 1111 1111"
    for policy, outcome in (
        (replace(CODE, personalised=True), Outcome.NOTHING_NEAR),
        (CODE, Outcome.SERVED),
    ):
        world = World(policy)
        await world.put(personal)
        assert world.outcome(await world.run(personal)) is outcome


async def test_what_a_client_does_not_take_is_not_read() -> None:
    world = World()
    await world.put()
    ask = await world.run(x_cachemw_threshold="1.0")
    assert world.outcome(ask) is Outcome.NOTHING_NEAR
    assert ask.near is None
