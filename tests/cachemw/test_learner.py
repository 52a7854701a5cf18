"""The learner: labels and policies reach the board, in order, and a failure changes nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet
from cachemw_policies.classifier import Classified

from cachemw.categories.board import Categories
from cachemw.categories.classify import CategoryClassifier
from cachemw.categories.source import PolicySource
from cachemw.errors import StoreUnavailable
from cachemw.learner import Learner
from cachemw.metrics import Metrics
from cachemw.stores.memory import MemoryStore
from tests.cachemw import parts
from tests.support.service import unit

VECTOR = unit("anything")


class Says(CategoryClassifier):
    """Names the last category, beside `default`, of the policies that it was trained on."""

    def __init__(self, policies: PolicySet) -> None:
        self.name = ("default", *(name for name in policies.names if name != "default"))[-1]

    def name_of(self, vector: object) -> Classified:
        return Classified(self.name, 1.0)


class World:
    def __init__(self, file: Path | None = None) -> None:
        self.metrics = Metrics()
        self.known: Categories = parts.board()
        self.file = file
        source = None if file is None else PolicySource(file, self.known.policies)
        self.store = MemoryStore(lambda: 0.0, 1 << 20)
        self.learner: Learner = parts.learner(self.store, self.known, self.metrics, source)

    def write(self, text: str) -> None:
        assert self.file is not None
        self.file.write_text(text)

    async def reload(self) -> None:
        """Look twice: what changes between two looks is not read yet."""
        await self.learner.reload()
        await self.learner.reload()

    @property
    def failed(self) -> float:
        return float(self.metrics.policy_failed._value.get())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "policy.yaml")


async def test_it_begins_on_the_verifiers_scale_with_a_classifier() -> None:
    world = World()
    world.known.use(parts.policies(CategoryPolicy("code")), None)
    await world.learner.begin("verifier 2", Says)
    assert world.known.scale == "verifier 2"
    assert world.known.classify(VECTOR) == "code"


async def test_nothing_is_learnt_before_the_scale_is_known() -> None:
    world = World()
    world.learner._book.judge(parts.label(0.9))
    await world.learner.step()
    assert world.learner._book.waiting == 1


async def test_a_step_writes_reads_and_works_out() -> None:
    world = World()
    await world.learner.begin(parts.SCALE, Says)
    world.learner._book.judge(parts.label(0.9, right=False))
    await world.learner.step()
    assert world.learner._book.waiting == 0
    assert world.known.standing("default").estimate.errors == 1


async def test_labels_of_earlier_are_learnt_from_at_the_start() -> None:
    world = World()
    await world.learner._book._evidence.append([parts.label(0.9)], b"earlier")
    await world.learner.begin(parts.SCALE, Says)
    await world.learner.step()
    assert world.known.standing("default").estimate.labels == 1


async def test_a_changed_file_is_put_in_force_with_its_classifier(world: World) -> None:
    await world.learner.begin(parts.SCALE, Says)
    world.write("categories: {code: {ttl: 1h}, math: {}}")
    await world.reload()
    assert set(world.known.policies.names) == {"code", "math", "default"}
    assert world.known.policy("code").ttl == 3600
    assert world.known.classify(VECTOR) == "math"
    assert world.learner.policies is world.known.policies


async def test_a_file_that_cannot_be_used_changes_nothing_and_is_told(world: World) -> None:
    world.write("categories: {code: {}}")
    await world.reload()
    world.write("categories: {code: {tl: 1h}}")
    await world.reload()
    assert (world.failed, "code" in world.known.policies.names) == (1.0, True)
    world.write("categories: {math: {}}")
    await world.reload()
    assert (world.failed, "math" in world.known.policies.names) == (0.0, True)


async def test_policies_come_into_force_also_while_nothing_is_loaded(world: World) -> None:
    world.write("categories: {code: {}}")
    await world.reload()
    assert "code" in world.known.policies.names
    assert world.known.classify(VECTOR) == "default"


async def test_without_a_file_there_is_nothing_to_look_at() -> None:
    world = World()
    before = world.known.policies
    await world.reload()
    assert world.known.policies is before


async def test_a_reload_while_it_begins_is_not_undone(world: World) -> None:
    """Training takes a second or two: the file may change meanwhile, and it is read once."""
    training, go_on = threading.Event(), threading.Event()

    def slow(policies: PolicySet) -> CategoryClassifier:
        training.set()
        assert go_on.wait(10)
        return Says(policies)

    world.write("categories: {code: {}}")
    await world.learner.reload()
    begun = asyncio.create_task(world.learner.begin(parts.SCALE, slow))
    await asyncio.to_thread(training.wait, 10)
    reloaded = asyncio.create_task(world.learner.reload())
    await asyncio.sleep(0.05)
    go_on.set()
    await asyncio.gather(begun, reloaded)
    assert "code" in world.known.policies.names
    assert world.known.classify(VECTOR) == "code"


async def test_no_label_is_read_while_it_begins() -> None:
    world = World()
    await world.learner._book._evidence.append([parts.label(0.9)], b"earlier")
    training, go_on = threading.Event(), threading.Event()

    def slow(policies: PolicySet) -> CategoryClassifier:
        training.set()
        assert go_on.wait(10)
        return Says(policies)

    begun = asyncio.create_task(world.learner.begin(parts.SCALE, slow))
    await asyncio.to_thread(training.wait, 10)
    await world.learner.step()
    go_on.set()
    await begun
    await world.learner.step()
    assert world.known.standing("default").estimate.labels == 1


async def test_a_training_that_fails_leaves_the_old_policies(world: World) -> None:
    await world.learner.begin(parts.SCALE, Says)
    before = world.known.policies

    def fails(_: PolicySet) -> CategoryClassifier:
        raise ValueError("boom")

    world.learner._train = fails
    world.write("categories: {code: {}}")
    with pytest.raises(ValueError, match="boom"):
        await world.reload()
    assert world.known.policies is before


async def test_what_waits_is_written_at_the_end() -> None:
    world = World()
    await world.learner.begin(parts.SCALE, Says)
    world.learner._book.judge(parts.label(0.9))
    await world.learner.aclose()
    assert world.learner._book.waiting == 0


async def test_a_store_that_is_away_costs_no_label() -> None:
    world = World()
    await world.learner.begin(parts.SCALE, Says)
    evidence: Any = world.learner._book._evidence
    append = evidence.append

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    evidence.append = away
    world.learner._book.judge(parts.label(0.9))
    await world.learner.step()
    evidence.append = append
    await world.learner.step()
    assert world.known.standing("default").estimate.labels == 1
