"""Never worse, part by part: what decides by category fails, and the upstream's answer comes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.labels import Label, Source

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import StoreStats
from cachemw.stores.evidence import DEFAULT_BOUNDS, Evidence, EvidenceBounds, LabelBatch, Served
from cachemw.stores.memory import MemoryStore
from tests.support.asgi import AsgiReply
from tests.support.service import (
    Assembled,
    Clock,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    policy_set,
    text_of,
)
from tests.support.verdicts import SaidVerifier

MARKER = "marker seven"
BOUND = 10.0  # seconds; generous, the machine is shared


async def ask(service: Assembled, text: str, **headers: Any) -> AsgiReply:
    """Ask; the reply is good, whoever made it."""
    reply = await service.client.ask(chat(text), within=BOUND, **headers)
    assert reply.status == 200, reply.body
    await service.settled()
    return reply


async def from_upstream(service: Assembled, text: str, **headers: Any) -> None:
    reply = await ask(service, text, **headers)
    assert reply.layer == "upstream"
    assert text in text_of(reply.body)


def said(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    lines: Any = [r for r in caplog.records if r.levelno >= logging.WARNING]
    for record in lines:
        assert MARKER not in str(vars(record))
    return Counter(f"{r.dependency}: {r.message}" for r in lines)


def _raises(_: Any) -> Any:
    raise RuntimeError(f"{MARKER} in an error's text")


VERIFIER_FAULTS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "raises": _raises,
    "too few": lambda _: np.zeros(0, np.float32),
    "not a number": lambda pairs: np.full(len(pairs), np.nan, np.float32),
    "no probability": lambda pairs: np.full(len(pairs), 1.5, np.float32),
    "nothing at all": lambda _: None,
}


@pytest.mark.parametrize("fault", VERIFIER_FAULTS)
async def test_a_verifier_that_fails(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    verifier = SaidVerifier()
    async with assembled(Parts(embedder=WordEmbedder(), verifier=verifier)) as service:
        await ask(service, "warm up")
        assert (await ask(service, "warm it up", cache_control="no-store")).layer == "semantic"
        verifier.fault = VERIFIER_FAULTS[fault]
        for word in ("a", "b", "c", "d"):
            await from_upstream(service, f"warm {word} {MARKER}")
        assert (await ask(service, f"warm b {MARKER}")).layer == "exact"
        assert service.metric("dependency_up", dependency="verifier") == 0.0
        assert said(caplog) == {"verifier: dependency failed": 1}
        verifier.fault = None
        assert (await ask(service, "warm all up")).layer == "semantic"
        assert service.metric("dependency_up", dependency="verifier") == 1.0
        assert said(caplog)["verifier: dependency is back"] == 1
    assert verifier.closed


async def test_a_verifier_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    verifier, release = SaidVerifier(), threading.Event()
    parts = Parts(embedder=WordEmbedder(), verifier=verifier, verify_timeout=0.05)
    async with assembled(parts) as service:
        await ask(service, "warm up")

        def hangs(pairs: Sequence[Any]) -> Any:
            release.wait(30)
            return np.ones(len(pairs), np.float32)

        verifier.fault = hangs
        for word in ("a", "b", "c"):
            await from_upstream(service, f"warm {word}")
        assert (await ask(service, "warm b")).layer == "exact"
        assert said(caplog) == {"verifier: dependency failed": 1}
        release.set()


async def test_without_a_classifier_questions_are_default_and_names_still_count() -> None:
    policies = policy_set(CategoryPolicy("facts", ttl=60.0, examples=("facts of", "facts on")))
    async with assembled(Parts(embedder=WordEmbedder(), policies=policies)) as service:
        service.categories.use(policies, None)
        await from_upstream(service, "facts of life")
        hit = await ask(service, "facts of life")
        assert (hit.layer, hit.header("x-cachemw-category")) == ("exact", "default")
        await from_upstream(service, "bees", x_cachemw_category="facts")
        assert (await ask(service, "bees")).header("x-cachemw-category") == "facts"


async def test_a_classifier_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        await ask(service, "warm up")
        sound = service.categories._classifier
        service.categories._classifier = type("Faulty", (), {"name_of": _raises})()
        for word in ("a", "b", "c"):
            await from_upstream(service, f"warm {word} {MARKER}")
        assert set(said(caplog)) <= {"lookup: dependency failed", "storing: dependency failed"}
        assert set(said(caplog).values()) == {1}
        service.categories._classifier = sound
        assert (await ask(service, "warm again")).layer == "semantic"


class FaultyEvidence(Evidence):
    """Keeps labels and hits, unless it is away."""

    def __init__(self, inner: Evidence) -> None:
        self._inner = inner
        self.away = False

    def _there(self) -> Evidence:
        if self.away:
            raise StoreUnavailable("away")
        return self._inner

    async def append(self, labels: Sequence[Label], batch: bytes) -> None:
        await self._there().append(labels, batch)

    async def labels(self, after: str, limit: int) -> LabelBatch:
        return await self._there().labels(after, limit)

    async def remember(self, served: Sequence[Served]) -> None:
        await self._there().remember(served)

    async def take(self, answer_id: str, tenant: str) -> Served | None:
        return await self._there().take(answer_id, tenant)


class FaultyStore(MemoryStore):
    """A store whose evidence, and whose statistics, may be away."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, 1 << 24)
        self.kept: FaultyEvidence | None = None
        self.stats_fault: Exception | None = None

    def evidence(self, bounds: EvidenceBounds = DEFAULT_BOUNDS) -> Evidence:
        self.kept = FaultyEvidence(super().evidence(bounds))
        return self.kept

    async def stats(self) -> StoreStats:
        if self.stats_fault is not None:
            raise self.stats_fault
        return await super().stats()


async def test_labels_that_cannot_be_written_or_read(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore(Clock())
    async with assembled(Parts(embedder=WordEmbedder(), store=store)) as service:
        learner, book = service.learning.learner, service.learning.book
        await ask(service, "warm up")
        assert store.kept is not None
        store.kept.away = True
        for word in ("a", "b", "c"):
            hit = await ask(service, f"warm {word}", cache_control="no-store")
            assert hit.layer == "semantic"
            book.judge(Label("default", 0.95, True, Source.OFFLINE, service.categories.scale, 1e6))
            await learner.step()
        # Only who wants to judge is told: the hit is not known here alone.
        reply = await service.client.ask({"id": "chatcmpl-x", "score": 0}, "/cache/feedback")
        assert (reply.status, reply.header("retry-after")) == (503, "1")
        assert said(caplog) == {"evidence: dependency failed": 1}
        store.kept.away = False
        await learner.step()
        assert await book.take("chatcmpl-x", "nobody") is None
        assert service.metric("dependency_up", dependency="evidence") == 1.0
        assert service.categories.standing("default").estimate.labels == 3
        assert book.waiting == 0


@pytest.mark.parametrize("fault", [StoreUnavailable("away"), ValueError(MARKER)])
async def test_an_evictor_that_fails(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore(Clock())
    parts = Parts(embedder=WordEmbedder(), store=store, config={"store": {"max_entries": 4}})
    async with assembled(parts) as service:
        await ask(service, "warm up")
        store.stats_fault = fault
        for word in ("one", "two", "three", "four", "five"):
            assert await service.evictor.step() == 0
            await from_upstream(service, f"{word} is cold")
            assert (await ask(service, f"{word} is cold")).layer == "exact"
        assert said(caplog) == {"eviction: dependency failed": 1}
        store.stats_fault = None
        assert await service.evictor.step() > 0
        assert service.metric("dependency_up", dependency="eviction") == 1.0
        assert (await store.stats()).entries < 5


async def test_all_of_it_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is away, clients who ask at once and in both forms get their answers."""
    store, verifier = FaultyStore(Clock()), SaidVerifier()
    parts = Parts(embedder=WordEmbedder(), verifier=verifier, store=store)
    async with assembled(parts) as service:
        await ask(service, "warm up")
        assert store.kept is not None
        store.kept.away, store.stats_fault, verifier.fault = True, ValueError(MARKER), _raises
        service.categories._classifier = type("Faulty", (), {"name_of": _raises})()
        texts = [f"warm {word} {MARKER}" for word in ("a", "b", "c", "d", "e", "f")]
        asking = (
            service.client.ask(chat(text, stream=stream), within=BOUND)
            for text in texts
            for stream in (False, True)
        )
        replies = await asyncio.gather(*asking)
        await service.learning.learner.step()
        await service.evictor.step()
        assert {reply.status for reply in replies} == {200}
        for number, reply in enumerate(replies):
            assert texts[number // 2] in text_of(reply.body)
        assert (await service.client.get("/metrics")).status == 200
        assert set(said(caplog).values()) == {1}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_in_what_learns_from_answers(
    stream: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        with monkeypatch.context() as patched:
            patched.setattr(service.learning.aftermath, "_accounts", None)
            for word in ("one", "two", "three"):
                text = f"{word} is cold {MARKER}"
                reply = await service.client.ask(chat(text, stream=stream), within=BOUND)
                assert (reply.status, reply.ended, text in text_of(reply.body)) == (200, True, True)
                await service.settled()
                assert (await ask(service, text)).layer == "exact"
        assert MARKER not in str([vars(record) for record in caplog.records])
