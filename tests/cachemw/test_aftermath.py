"""What hits and answers teach, and how entries with a sliding TTL live on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Candidate, Decision, Outcome, Weighed

from cachemw.admin.fence import Fence
from cachemw.admin.filters import EntryFilter
from cachemw.aftermath import Learning, Noting
from cachemw.ask import Ask, Asked, Scored
from cachemw.endpoints.base import Json
from cachemw.errors import IndexUnavailable
from cachemw.exact import Miss, Resident
from cachemw.keep import Fetched
from cachemw.metrics import Metrics
from cachemw.replay import Hit
from cachemw.stores.base import Document
from cachemw.stores.evidence import Served
from cachemw.stores.memory import MemoryStore
from cachemw.upstreams.router import Price
from tests.cachemw import parts
from tests.cachemw.quotas.conftest import NOW, document
from tests.support.checks import ask_for
from tests.support.service import Clock, plain_of
from tests.support.tiers import exact_tier

STORED = document(0, "code")
NEAR = Scored(STORED, 0.97, "code", parts.SCALE)
SEMANTIC = Hit(Resident(STORED, ()), "semantic", 0.95)
EXACT = Hit(Resident(STORED, ()), "exact")
ONE = Weighed(Candidate(STORED.key, 0.95), NOW, NOW + 1, score=0.97)


def decision(outcome: Outcome) -> Decision:
    return Decision(outcome, ONE, 0.9, 0.0)


async def an_ask(outcome: Outcome | None = None, near: Scored | None = NEAR) -> Ask:
    ask = await ask_for("question")
    ask.asked, ask.category, ask.near = Asked("question", b"p"), "code", near
    ask.decision = None if outcome is None else decision(outcome)
    prices = {"m": Price(1e6, 1e6)}
    ask.route = replace(ask.route, backend=replace(ask.route.backend, prices=prices))
    return ask


class Heard:
    """A label book and both kinds of checks, which keep what they are told."""

    def __init__(self, *, withholds: bool = False) -> None:
        self.hits: list[Served] = []
        self.checked: list[Scored] = []
        self.compared: list[tuple[Scored, Json | None]] = []
        self._withholds = withholds

    def served(self, hit: Served) -> None:
        self.hits.append(hit)

    def withholds(self, ask: Ask, near: Scored) -> bool:
        return self._withholds

    def consider(self, ask: Ask, near: Scored, *fetched: Json | None) -> None:
        if fetched:
            self.compared.append((near, fetched[0]))
        else:
            self.checked.append(near)


def learning(heard: Heard) -> tuple[Learning, Any]:
    kept = parts.accounts(lambda: 0.0)
    known = parts.board(parts.policies(CategoryPolicy("code")), kept=kept)
    every: Any = heard
    return Learning(known, kept, every, every, every, lambda: NOW), kept


class TestLearning:
    async def test_a_semantic_hit_can_be_judged_and_may_be_checked(self) -> None:
        heard, ask = Heard(), await an_ask(Outcome.SERVED)
        learning(heard)[0].hit(ask, SEMANTIC, "chatcmpl-1")
        assert heard.hits == [
            Served("chatcmpl-1", STORED.key, ask.tenant, "code", 0.97, parts.SCALE, NOW)
        ]
        assert heard.checked == [NEAR]

    @pytest.mark.parametrize("hit", [EXACT, SEMANTIC._replace(layer="shared")])
    async def test_any_other_hit_tells_nothing(self, hit: Hit) -> None:
        heard = Heard(withholds=True)
        taught, _ = learning(heard)
        ask = await an_ask(Outcome.SERVED)
        taught.hit(ask, hit, "chatcmpl-1")
        assert (heard.hits, heard.checked) == ([], [])
        assert not taught.withholds(ask, hit)

    @pytest.mark.parametrize("withholds", [True, False])
    async def test_a_hit_that_is_withheld_is_compared_like_a_miss(self, withholds: bool) -> None:
        heard, ask = Heard(withholds=withholds), await an_ask(Outcome.SERVED)
        taught, _ = learning(heard)
        assert taught.withholds(ask, SEMANTIC) is withholds
        answer = plain_of("fresh")
        taught.answered(ask, Fetched(200, answer, 2.0))
        assert heard.compared == ([(NEAR, answer)] if withholds else [])

    @pytest.mark.parametrize(
        ("outcome", "compared"), [(Outcome.BELOW, True), (Outcome.SERVED, False), (None, True)]
    )
    async def test_only_a_candidate_that_was_not_served_is_compared(
        self, outcome: Outcome | None, compared: bool
    ) -> None:
        heard = Heard()
        learning(heard)[0].answered(await an_ask(outcome), Fetched(200, plain_of("x"), 2.0))
        assert bool(heard.compared) is compared

    async def test_without_a_candidate_there_is_nothing_to_compare(self) -> None:
        heard = Heard()
        ask = await an_ask(Outcome.NOTHING_NEAR, near=None)
        learning(heard)[0].answered(ask, Fetched(200, plain_of("x"), 2.0))
        assert heard.compared == []

    async def test_what_a_call_takes_and_costs_is_what_a_hit_would_save(self) -> None:
        taught, kept = learning(Heard())
        for _ in range(100):
            taught.answered(await an_ask(Outcome.BELOW), Fetched(200, plain_of("x"), 2.0))
        # 3 tokens asked and 5 answered, at a dollar each; a dollar is a thousand seconds.
        assert kept._entries["code"].account.saving == pytest.approx(8002.0, rel=0.1)

    async def test_requests_that_are_never_looked_up_do_not_count(self) -> None:
        heard = Heard()
        taught, kept = learning(heard)
        ask = await an_ask(Outcome.BELOW)
        ask.asked = None
        taught.answered(ask, Fetched(200, plain_of("x"), 2.0))
        assert ("code" in kept.view(), heard.compared) == (False, [])

    async def test_an_answer_that_is_not_whole_costs_no_money(self) -> None:
        taught, kept = learning(Heard())
        taught.answered(await an_ask(Outcome.BELOW), Fetched(500, None, 2.0))
        assert kept._entries["code"].account.saving == pytest.approx(2.0)


class Counted:
    """A ledger that keeps what was hit."""

    def __init__(self) -> None:
        self.hits: list[bytes] = []

    def hit(self, key: bytes) -> None:
        self.hits.append(key)


class World:
    """Entries of a category with a sliding TTL of 100 seconds."""

    def __init__(self, *, sliding: bool = True, ttl: float | None = None) -> None:
        self.clock = Clock(NOW)
        self.policy = CategoryPolicy("code", ttl=100.0, sliding=sliding)
        self.known = parts.board(parts.policies(self.policy))
        self.store = MemoryStore(self.clock, 1 << 20)
        self.exact = exact_tier(self.store, self.clock, Metrics(), categories=self.known)
        self.learnt: list[Document] = []
        self.ledger = Counted()
        ledger: Any = self.ledger
        self.heard: Any = Heard()
        self.fence = Fence(self.clock, self.clock)
        self.failure: Exception | None = None
        inner = learning(self.heard)[0]
        self.noting = Noting(
            inner, self.known, self.exact, self.learn, ledger, self.fence, self.clock, ttl
        )

    async def learn(self, document: Document) -> None:
        if self.failure is not None:
            raise self.failure
        self.learnt.append(document)

    async def hit_at(self, seconds: float, *, lives: float = 100.0) -> float:
        """Store an entry, hit it `seconds` later; returns how long it lives from then on."""
        stored = replace(STORED, expires_at=NOW + lives)
        await self.exact.put(stored)
        self.clock.now = NOW + seconds
        self.noting.hit(await an_ask(), EXACT._replace(resident=Resident(stored, ())), "id")
        await self.renewed()
        found = await self.exact.find(stored.key)
        return found.document.expires_at - self.clock.now if isinstance(found, Resident) else 0.0

    async def renewed(self) -> None:
        while self.noting._renewals:
            await asyncio.wait(self.noting._renewals)


class TestNoting:
    async def test_every_hit_is_noted_and_passed_on(self) -> None:
        world = World()
        world.noting.hit(await an_ask(Outcome.SERVED), SEMANTIC, "id")
        await world.renewed()
        assert world.ledger.hits == [STORED.key]
        assert len(world.heard.hits) == 1

    async def test_so_is_what_is_withheld_and_answered(self) -> None:
        world, ask = World(), await an_ask(Outcome.SERVED)
        world.heard._withholds = True
        assert world.noting.withholds(ask, SEMANTIC)
        world.noting.answered(ask, Fetched(200, plain_of("x"), 2.0))
        assert len(world.heard.compared) == 1

    @pytest.mark.parametrize(("seconds", "left"), [(10, 90), (49, 51), (51, 100), (99, 100)])
    async def test_an_entry_is_renewed_in_the_second_half_of_its_time(
        self, seconds: float, left: float
    ) -> None:
        world = World()
        assert await world.hit_at(seconds) == left
        # The index is told as well: there it would expire when it was to at first.
        assert [one.expires_at for one in world.learnt] == [NOW + seconds + 100] * (left == 100)

    async def test_it_keeps_its_age(self) -> None:
        world = World()
        await world.hit_at(60)
        assert world.learnt[0].created_at == STORED.created_at

    async def test_a_fixed_ttl_is_not_moved(self) -> None:
        world = World(sliding=False)
        assert await world.hit_at(60) == 40
        assert world.learnt == []

    async def test_the_ceiling_of_all_ttls_holds(self) -> None:
        assert await World(ttl=40.0).hit_at(30, lives=40) == 40
        assert await World(ttl=40.0).hit_at(15, lives=40) == 25

    async def test_what_was_purged_is_not_brought_back(self) -> None:
        world = World()
        put = world.store.put

        async def purged_meanwhile(document: Document) -> None:
            world.clock.now += 1
            world.fence.raise_against(EntryFilter(tenant=document.tenant))
            await put(document)

        stored = replace(STORED, expires_at=NOW + 100)
        await world.exact.put(stored)
        world.store.put = purged_meanwhile  # type: ignore[method-assign]
        world.clock.now = NOW + 60
        world.noting.hit(await an_ask(), EXACT._replace(resident=Resident(stored, ())), "id")
        await world.renewed()
        assert await world.exact.find(STORED.key) is Miss.ABSENT
        assert world.learnt == []

    async def test_an_index_that_fails_costs_hits_alone(self) -> None:
        world = World()
        world.failure = IndexUnavailable("full")
        assert await world.hit_at(60) == 100
