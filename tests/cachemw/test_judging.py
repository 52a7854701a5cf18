"""What knows of categories and what learns, joined as a configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cachemw_policies.labels import Label, Source
from cachemw_policies.load import LoadSettings

from cachemw.ask import Ask, Asked, Scored
from cachemw.config import Config, load_config
from cachemw.errors import ConfigError
from cachemw.flight import FlightReader
from cachemw.judging import Board, Learnt, board, learnt
from cachemw.keep import Fetched
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from cachemw.upstreams.router import Backend, Router
from tests.cachemw.test_learner import Says
from tests.support.checks import ask_for, scored
from tests.support.service import Clock, EchoUpstream, plain_of

UPSTREAM = {"name": "echo", "base_url": "http://127.0.0.1:9"}
SERVED = "3 + 4 = 7 eggs"


class World:
    """Both halves of what is joined, with all hits checked; the calls of checks are counted."""

    def __init__(self, **sections: Any) -> None:
        sections.setdefault("shadow", {"share": 1.0})
        sections.setdefault("upstreams", [UPSTREAM])
        self.config: Config = load_config({"cache_dir": "/c", **sections}, {})
        self.metrics = Metrics()
        load = UpstreamLoad(self.metrics, Clock(0.0), LoadSettings())
        self.board: Board = board(self.config, load, self.metrics)
        self.calls = 0
        self.wrong: list[Document] = []

    def learnt(self, env: dict[str, str] | None = None, *models: str) -> Learnt:
        store = MemoryStore(Clock(), 1 << 20)
        router = Router([Backend(EchoUpstream(), models=models or ("*",))])
        return learnt(
            self.config,
            env or {},
            self.board,
            store,
            router,
            self.metrics,
            begin=self._begin,
            on_wrong=self._wrong,
        )

    def _begin(self, ask: Ask) -> FlightReader:
        self.calls += 1
        raise RuntimeError("no call in this test")

    async def _wrong(self, document: Document) -> None:
        self.wrong.append(document)

    def value(self, name: str, **labels: str) -> float:
        self.metrics.fold()
        return self.metrics.registry.get_sample_value(f"cachemw_{name}", labels) or 0.0


def test_the_shipped_policies_where_no_file_is_named() -> None:
    names = World().board.categories.policies.names
    assert {"default", "code"} <= set(names)


def test_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("categories: {eggs: {threshold: 0.91, delta: 0.01}}")
    known = World(categories={"file": str(file)}, guarantee={"cold_start": "threshold"}).board
    assert set(known.categories.policies.names) == {"eggs", "default"}
    assert known.categories.state("eggs").normal.threshold == 0.91


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("categories: {eggs: {treshold: 0.91}}")
    with pytest.raises(ConfigError, match=r"policy\.yaml.*threshold"):
        World(categories={"file": str(file)})


def test_thresholds_are_shown_from_the_start() -> None:
    world = World(guarantee={"cold_start": "threshold"})
    policy = world.board.categories.policy("default")
    assert world.value("threshold", category="default") == policy.threshold


async def test_a_label_is_counted_written_read_and_learnt() -> None:
    world = World()
    made = world.learnt()
    await made.learner.begin("scale-1", Says)
    shadows, misses = made.runners
    for runner, right in ((shadows, True), (misses, False)):
        source = runner._source
        runner._sinks.label(Label("default", 0.99, right, source, "scale-1", 1.0))
    await made.learner.step()
    estimate = world.board.categories.standing("default").estimate
    assert (estimate.labels, estimate.errors) == (2, 1)
    assert world.value("labels_total", source="shadow", verdict="right") == 1
    assert world.value("labels_total", source="miss", verdict="wrong") == 1


async def test_an_answer_is_compared_with_the_candidate_that_was_not_served() -> None:
    world = World()
    made = world.learnt()
    ask = await ask_for("eggs?")
    ask.asked = Asked("eggs?", b"p")
    ask.near = scored(SERVED)
    made.aftermath.answered(ask, Fetched(200, plain_of("3 + 5 = 8 eggs"), 1.0))
    await made.drain(10.0)
    assert world.value("labels_total", source="miss", verdict="wrong") == 1
    assert world.value("checks_total", source="miss", outcome="different") == 1
    assert world.wrong == []  # nobody was served it


@pytest.mark.parametrize(
    ("upstream", "headers", "calls"),
    [
        ({}, {"authorization": "Bearer a"}, 0),
        ({"api_key": "own"}, {"authorization": "Bearer a"}, 1),
        ({"api_key_env": "KEY"}, {"authorization": "Bearer a"}, 1),
        ({"base_url": None, "local": "lab"}, {"authorization": "Bearer a"}, 1),
        ({}, {}, 1),
    ],
)
async def test_checks_spend_no_clients_money(
    upstream: dict[str, Any], headers: dict[str, str], calls: int
) -> None:
    world = World(shadow={"share": 1.0, "credentials": "own"}, upstreams=[{**UPSTREAM, **upstream}])
    made = world.learnt({"KEY": "own"})
    near: Scored = scored(SERVED)
    made.aftermath._shadows.consider(await ask_for("eggs?", **headers), near)
    await made.drain(10.0)
    assert world.calls == calls


def test_a_judge_that_nobody_serves_stops_the_start() -> None:
    world = World(shadow={"judge_model": "judge"})
    with pytest.raises(ConfigError, match=r"shadow\.judge_model: no upstream serves 'judge'"):
        world.learnt(None, "another")
    assert world.learnt(None, "judge").runners


async def test_what_finds_no_room_is_counted() -> None:
    world = World()
    made = world.learnt()
    made.book.judge(Label("default", 7.0, True, Source.SHADOW, "scale-1", 1.0))
    assert world.value("labels_dropped_total", kind="label") == 1
