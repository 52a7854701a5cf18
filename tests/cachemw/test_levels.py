"""How far the cache gives way to each model's load."""

from __future__ import annotations

import pytest
from cachemw_policies.adaptation import AdaptationSettings
from cachemw_policies.load import LoadSettings

from cachemw.levels import LoadLevels
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from cachemw.upstreams.router import Backend, Route, Router
from tests.support.service import Clock, EchoUpstream

SETTINGS = AdaptationSettings(rise_s=1.0, fall_s=10.0)


def route(model: str = "m", upstream: str = "upstream") -> Route:
    """Return the way to a model of an upstream."""
    echo = EchoUpstream()
    echo.name = upstream
    return Router([Backend(echo)]).route(model)


class World:
    def __init__(
        self, settings: AdaptationSettings | None = SETTINGS, capacity: int | None = None
    ) -> None:
        self.clock = Clock(0.0)
        self.load = UpstreamLoad(Metrics(), self.clock, LoadSettings())
        capacities = {} if capacity is None else {"upstream": capacity}
        self.levels = LoadLevels(self.load, settings, capacities, self.clock)

    def seconds(self, count: float, model: str = "m", upstream: str = "upstream") -> float:
        """Look once a tenth of a second; returns the level at the end."""
        level = 0.0
        for _ in range(round(10 * count)):
            level = self.levels.of(route(model, upstream))
            self.clock.now += 0.1
        return level


def test_an_idle_model_is_calm() -> None:
    world = World(capacity=1)
    assert world.seconds(5) == 0.0
    assert world.levels.highest == 0.0


def test_it_rises_and_falls_with_the_load_at_their_own_speeds() -> None:
    world = World(capacity=1)
    calls = [world.load.call("m") for _ in range(3)]
    assert 0.3 < world.seconds(0.6) < 0.7
    assert world.seconds(2) == 1.0
    for call in calls:
        call.status = "200"
        call.__exit__(None, None, None)
    assert 0.6 < world.seconds(3) < 1.0
    assert world.seconds(12) == 0.0


def test_errors_count_without_a_known_capacity() -> None:
    world = World()
    for _ in range(50):
        world.load.attempted("m", failed=True)
    assert world.seconds(3) == 1.0


def test_calls_under_way_count_only_where_the_capacity_is_known() -> None:
    world = World()
    for _ in range(1000):
        world.load.call("m")
    assert world.seconds(3) == 0.0


def test_a_capacity_is_of_its_upstream() -> None:
    world = World(capacity=1)
    for _ in range(9):
        world.load.call("m")
    assert world.seconds(3, upstream="another") == 0.0


def test_every_model_has_its_own() -> None:
    world = World(capacity=1)
    for _ in range(3):
        world.load.call("busy")
    world.seconds(3, "idle")
    world.seconds(3, "busy")
    assert dict(world.levels) == {"idle": 0.0, "busy": 1.0}
    assert world.levels.highest == 1.0


def test_switched_off_nothing_moves() -> None:
    world = World(settings=None, capacity=1)
    for _ in range(9):
        world.load.call("m")
    assert world.seconds(5) == 0.0
    assert list(world.levels) == []


def test_a_second_look_within_the_same_moment_sees_the_same() -> None:
    world = World(capacity=1)
    world.levels.of(route())
    for _ in range(9):
        world.load.call("m")
    world.clock.now += 0.04
    assert world.levels.of(route()) == 0.0
    world.clock.now += 0.04
    assert world.levels.of(route()) > 0.0


@pytest.mark.parametrize("models", [100, 150])
def test_names_that_clients_make_up_are_bounded(models: int) -> None:
    world = World()
    for number in range(models):
        world.levels.of(route(f"made-up-{number}"))
    assert len(list(world.levels)) == 100
