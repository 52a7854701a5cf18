"""Feedback: who may judge what, and what comes of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cachemw.errors import (
    NotFound,
)
from cachemw.identity.caller import ANONYMOUS, Caller
from tests.cachemw.evidence.world import (
    ALICE,
    BOB,
    HIT,
    KEY,
    LABEL,
    NOW,
    World,
    document,
    hit,
    refusal,
)


@pytest.mark.parametrize(("score", "right"), [(1, True), (0.5, True), (0.4999, False), (0, False)])
async def test_a_hit_is_judged(world: World, score: float, right: bool) -> None:
    world.book.served(HIT)
    assert await world.say(hit(score=score)) == {"id": HIT.answer_id, "removed": not right}
    assert await world.learnt() == [replace(LABEL, right=right)]
    assert (await world.store.get(KEY) is None) is not right
    assert world.verdicts == ["right" if right else "wrong"]


@pytest.mark.parametrize("written", [True, False])
async def test_a_hit_is_judged_once(world: World, written: bool) -> None:
    world.book.served(HIT)
    if written:
        await world.book.flush()
    await world.say(hit(score=1))
    with pytest.raises(NotFound):
        await world.say(hit(score=0))
    assert await world.learnt() == [LABEL]
    assert await world.store.get(KEY) is not None
    assert world.verdicts == ["right", "unknown"]


async def test_of_many_at_once_one_counts(world: World) -> None:
    world.book.served(HIT)
    await world.book.flush()
    said = [world.say(hit(score=0)) for _ in range(20)]
    outcomes = await asyncio.gather(*said, return_exceptions=True)
    assert sum(isinstance(outcome, NotFound) for outcome in outcomes) == 19
    assert len(await world.learnt()) == 1


async def test_a_hit_of_another_process(world: World) -> None:
    other = world.another_book()
    other.served(HIT)
    await other.flush()
    assert await world.say(hit(score=0)) == {"id": HIT.answer_id, "removed": True}


async def test_a_hit_that_another_process_is_about_to_write() -> None:
    world = World(settle_s=0.1)
    other = world.another_book()
    other.served(HIT)
    said = asyncio.create_task(world.say(hit(score=1)))
    await asyncio.sleep(0)
    await other.flush()
    assert await said == {"id": HIT.answer_id, "removed": False}


async def test_an_entry_that_is_gone_is_not_removed_but_the_label_counts(world: World) -> None:
    await world.store.delete(KEY)
    world.book.served(HIT)
    assert await world.say(hit(score=0)) == {"id": HIT.answer_id, "removed": False}
    assert await world.learnt() == [replace(LABEL, right=False)]


async def test_an_answer_that_has_taken_its_place_stays(world: World) -> None:
    world.book.served(HIT)
    await world.store.put(document(created_at=NOW + 1))
    assert await world.say(hit(score=0)) == {"id": HIT.answer_id, "removed": False}
    assert await world.store.get(KEY) is not None


async def test_an_entry_is_judged_by_its_id(world: World) -> None:
    entry = {"id": KEY.hex(), "score": 0.9}
    for _ in range(2):
        assert await world.say(entry) == {"id": KEY.hex(), "removed": False}
    assert await world.store.get(KEY) is not None
    assert await world.say(entry | {"score": 0.1}) == {"id": KEY.hex(), "removed": True}
    assert await world.store.get(KEY) is None
    with pytest.raises(NotFound):
        await world.say(entry)
    assert await world.learnt() == []
    assert world.verdicts == ["right", "right", "wrong", "unknown"]


@pytest.mark.parametrize("score", [0, 1])
@pytest.mark.parametrize("stranger", [BOB, ANONYMOUS, Caller("shared"), Caller("name:alice2")])
async def test_what_is_somebody_elses_is_unknown(
    world: World, stranger: Caller, score: int
) -> None:
    world.book.served(HIT)
    for written in (False, True):
        if written:
            await world.book.flush()
        for scope in ({}, {"x_cachemw_scope": "s"}, {"x_cachemw_scope": ALICE.tenant}):
            unknown = await refusal(world, {"id": "chatcmpl-2", "score": score}, stranger, **scope)
            answers = {
                await refusal(world, {"id": one, "score": score}, stranger, **scope)
                for one in (HIT.answer_id, KEY.hex(), "f" * 64, KEY.hex().upper(), "x")
            }
            assert answers == {unknown}
    assert await world.store.get(KEY) is not None
    assert await world.say(hit(score=1)) == {"id": HIT.answer_id, "removed": False}
    assert await world.learnt() == [LABEL]


async def test_a_scope_is_the_callers_with_its_name(world: World) -> None:
    scoped = ALICE.scoped("team")
    await world.store.put(document(tenant=scoped))
    world.book.served(replace(HIT, tenant=scoped))
    entry = {"id": KEY.hex(), "score": 0}
    for wrong in ({}, {"x_cachemw_scope": "other"}):
        for body in (hit(score=0), entry):
            assert b"404" in await refusal(world, body, ALICE, **wrong)
    assert b"404" in await refusal(world, entry, BOB, x_cachemw_scope="team")
    judged = await world.say(hit(score=1), x_cachemw_scope="team")
    assert judged == {"id": HIT.answer_id, "removed": False}
    assert await world.say(entry, x_cachemw_scope="team") == {"id": KEY.hex(), "removed": True}


async def test_with_a_scope_what_was_served_without_is_known(world: World) -> None:
    world.book.served(HIT)
    assert await world.say(hit(score=0), x_cachemw_scope="team") == hit() | {"removed": True}
