"""What is found out about candidates: documents, objections, scores; and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from cachemw_policies.decision import Candidate

from cachemw.errors import StoreUnavailable
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from cachemw.verify.base import QuestionPair, Scores, Verifier
from cachemw.verify.lane import VerifierLane
from cachemw.weigh import Shortlisted, Weigher
from tests.cachemw.quotas.conftest import NOW, document, key
from tests.support.service import Clock
from tests.support.tiers import exact_tier

STORED = ("How do I bake bread?", "How do I bake 3 breads?", "How do I bake rye bread?")
ASKED = "How can I bake bread?"
GERMAN = "Wie backe ich ein gutes Brot, das nicht zu schnell trocken wird?"


class Fixed(Verifier):
    """Scores as a test says; keeps the pairs it was given."""

    fingerprint = "fixed"

    def __init__(self, *scores: float) -> None:
        self.scores = scores
        self.pairs: list[QuestionPair] = []
        self.failure: Exception | None = None

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        self.pairs += pairs
        if self.failure is not None:
            raise self.failure
        return np.array(self.scores[: len(pairs)], dtype=np.float32)

    def close(self) -> None:
        pass


class World:
    def __init__(self, lane: VerifierLane | None, *, english_only: bool) -> None:
        clock = Clock(NOW)
        self.metrics = Metrics()
        self.store = MemoryStore(clock, 1 << 20)
        self.state = DependencyState("verifier")
        exact = exact_tier(self.store, clock, self.metrics)
        self.weigher = Weigher(
            exact, lane, self.state, self.metrics, most=3, english_only=english_only
        )

    async def put(self) -> None:
        for number, text in enumerate(STORED):
            await self.store.put(document(number, prompt=text, created_at=NOW - number))

    async def weigh(
        self, *numbers: int, asked: str = ASKED, similarity: float = 0.9
    ) -> Shortlisted:
        candidates = [Candidate(key(number), similarity) for number in numbers]
        return await self.weigher.weigh(asked, candidates)


@asynccontextmanager
async def world(verifier: Verifier | None = None, *, english: bool = False) -> AsyncIterator[World]:
    lane = None if verifier is None else VerifierLane(verifier, timeout_s=5.0)
    if lane is not None:
        await lane.start()
    made = World(lane, english_only=english)
    await made.put()
    yield made
    if lane is not None:
        await lane.aclose()


async def test_documents_objections_and_scores_in_the_order_of_the_candidates() -> None:
    verifier = Fixed(0.25, 0.75)
    async with world(verifier) as made:
        found = await made.weigh(2, 1, 0)
    assert [one.candidate.key for one in found.weighed] == [key(2), key(1), key(0)]
    assert [one.score for one in found.weighed] == [0.25, None, 0.75]
    assert [one.objection for one in found.weighed] == [None, "numbers", None]
    assert [one.created_at for one in found.weighed] == [NOW - 2, NOW - 1, NOW]
    assert {k: r.document.prompt for k, r in found.residents.items()} == {
        key(number): text for number, text in enumerate(STORED)
    }


async def test_the_verifier_reads_what_no_guard_objects_to_stored_first() -> None:
    verifier = Fixed(0.5)
    async with world(verifier) as made:
        await made.weigh(1, 0)
    assert verifier.pairs == [QuestionPair(STORED[0], ASKED, 0.9)]


async def test_where_guards_object_to_all_nothing_is_scored() -> None:
    verifier = Fixed()
    async with world(verifier) as made:
        found = await made.weigh(1)
    assert verifier.pairs == []
    assert [one.score for one in found.weighed] == [None]


async def test_what_is_gone_is_told() -> None:
    async with world(Fixed(0.5)) as made:
        found = await made.weigh(7, 0)
    assert found.gone == (key(7),)
    assert [one.candidate.key for one in found.weighed] == [key(0)]


async def test_of_a_store_that_fails_nothing_is_taken_for_gone() -> None:
    class Away(MemoryStore):
        async def get(self, key: bytes) -> Document | None:
            raise StoreUnavailable("away")

        async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
            raise StoreUnavailable("away")

    clock, metrics = Clock(NOW), Metrics()
    exact = exact_tier(Away(clock, 1 << 20), clock, metrics)
    weigher = Weigher(exact, None, DependencyState("verifier"), metrics, most=3, english_only=False)
    found = await weigher.weigh(ASKED, [Candidate(key(0), 0.9), Candidate(key(1), 0.9)])
    assert found == Shortlisted((), {}, ())


@pytest.mark.parametrize(
    ("similarity", "score"), [(0.9, 0.9), (-0.1, 0.0), (1.0000001, 1.0), (0.0, 0.0)]
)
async def test_without_a_verifier_the_score_is_the_cosine_as_a_share(
    similarity: float, score: float
) -> None:
    async with world() as made:
        found = await made.weigh(0, 1, similarity=similarity)
    assert [one.score for one in found.weighed] == [score, None]


async def test_a_verifier_that_fails_leaves_candidates_without_a_score_and_comes_back() -> None:
    verifier = Fixed(0.5)
    verifier.failure = ValueError("boom")
    async with world(verifier) as made:
        found = await made.weigh(0, 1)
        assert [one.score for one in found.weighed] == [None, None]
        assert not made.state.is_up
        verifier.failure = None
        found = await made.weigh(0)
        assert [one.score for one in found.weighed] == [0.5]
        assert made.state.is_up


@pytest.mark.parametrize("score", [float("nan"), float("inf"), 1.5, -0.5])
async def test_a_score_that_is_none_is_not_taken_for_one(score: float) -> None:
    async with world(Fixed(score, 0.5)) as made:
        found = await made.weigh(0, 2)
    assert [one.score for one in found.weighed] == [None, 0.5]


@pytest.mark.parametrize(("english", "scored"), [(True, False), (False, True)])
async def test_a_verifier_of_english_alone_is_not_asked_in_another_language(
    english: bool, scored: bool
) -> None:
    async with world(Fixed(0.5), english=english) as made:
        await made.store.put(document(9, prompt=GERMAN))
        found = await made.weigh(9, asked=GERMAN)
        assert (found.weighed[0].score is not None) is scored
        assert (await made.weigh(0)).weighed[0].score == 0.5


async def test_the_time_it_takes_is_measured() -> None:
    async with world(Fixed(0.5)) as made:
        await made.weigh(0)
        made.metrics.fold()
        name = "cachemw_stage_duration_seconds_count"
        assert made.metrics.registry.get_sample_value(name, {"stage": "verify"}) == 1


async def test_objected_candidates_do_not_take_the_place_of_others() -> None:
    clock, metrics = Clock(NOW), Metrics()
    store = MemoryStore(clock, 1 << 20)
    exact = exact_tier(store, clock, metrics)
    for number, text in enumerate([*STORED[1:2] * 3, *STORED[:1] * 2]):
        await store.put(document(number, prompt=text, created_at=NOW))
    verifier = Fixed(0.25, 0.75)
    lane = VerifierLane(verifier, timeout_s=5.0)
    await lane.start()
    state = DependencyState("verifier")
    weigher = Weigher(exact, lane, state, metrics, most=1, english_only=False)
    found = await weigher.weigh(ASKED, [Candidate(key(n), 0.9) for n in range(5)])
    await lane.aclose()
    assert [one.objection for one in found.weighed] == ["numbers"] * 3 + [None] * 2
    assert [one.score for one in found.weighed] == [None, None, None, 0.25, None]


async def test_where_others_wait_only_the_nearest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = Fixed(0.25, 0.75)
    async with world(verifier) as made:
        monkeypatch.setattr(VerifierLane, "waiting", 2)
        found = await made.weigh(2, 0)
    assert [one.score for one in found.weighed] == [0.25, None]
