"""Lookups of a category that costs more than it wins: few are made, and none is made never."""

from __future__ import annotations

from typing import Any

from cachemw_policies.decision import Outcome

from tests.cachemw.test_lookup import World

# An answer that saves nothing, so that hits on it do not end the pause.
WORTHLESS: dict[str, Any] = {
    "upstream_seconds": 0.0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
}


def paused() -> World:
    made = World()
    for _ in range(50):
        made.kept.note("code", 1.0)
    assert made.kept.paused("code")
    return made


async def test_only_probes_are_looked_up_and_booked() -> None:
    world = paused()
    await world.put(**WORTHLESS)
    before = world.kept.view()["code"].totals.lookups
    outcomes = [world.outcome(await world.run()) for _ in range(200)]
    probes = sum(outcome is Outcome.SERVED for outcome in outcomes)
    assert 0 < probes < 40
    assert outcomes.count(Outcome.PAUSED) == 200 - probes
    assert world.kept.view()["code"].totals.lookups - before == probes


async def test_one_that_is_named_is_probed_too_and_by_one_coin() -> None:
    world = paused()
    await world.put(**WORTHLESS)
    ask = await world.run(named="code")
    let_through = sum(world.lookup.worthwhile(ask) for _ in range(400))
    assert 5 < let_through < 60
    assert [world.outcome(await world.run(named="code")) for _ in range(20)] == [
        Outcome.SERVED
    ] * 20


async def test_under_load_all_are_made() -> None:
    world = paused()
    await world.put(**WORTHLESS)
    ask = await world.run(named="code", load=0.5)
    assert all(world.lookup.worthwhile(ask) for _ in range(50))
    outcomes = [world.outcome(await world.run(load=0.5)) for _ in range(50)]
    assert outcomes == [Outcome.SERVED] * 50
