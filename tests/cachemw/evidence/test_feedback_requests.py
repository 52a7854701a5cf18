"""Feedback: requests that cannot be meant, and a store that is away."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cachemw.errors import (
    BadRequest,
    BodyTooLarge,
    CacheUnavailable,
    MethodNotAllowed,
    StoreUnavailable,
)
from cachemw.identity.caller import Caller
from tests.cachemw.evidence.world import (
    ALICE,
    HIT,
    KEY,
    World,
    hit,
    refusal,
    request,
)

BAD_SCORES: list[Any] = [None, True, False, "1", "0.5", [], {}, -0.0001, 1.0001, -1, 2, 1e30]
BAD_IDS: list[Any] = [None, "", 1, True, ["x"], "x" * 257]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"id": "x", "score": score}, "score") for score in BAD_SCORES]
    + [({"id": one, "score": 1}, "id") for one in BAD_IDS]
    + [({"id": "x"}, "score"), ({"score": 1}, "id"), ({}, "id")]
    + [({"id": "x", "score": 1, "comment": "secret"}, None)],
)
async def test_a_field_that_cannot_be_meant(world: World, body: Any, field: str | None) -> None:
    with pytest.raises(BadRequest) as raised:
        await world.say(body)
    assert raised.value.param == field
    assert "secret" not in raised.value.message
    error = orjson.loads(raised.value.body())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert world.verdicts == []


NO_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b'{"id":"x","score":NaN}',
    b'{"id":"x","score":Infinity}',
    b'{"id":"x","score":1e999}',
    b'{"id":"x","score":1' + b"0" * 400 + b"}",
    b'{"id":"\\ud800","score":1}',
    b"[" * 4000,
    b"\xff",
]


@pytest.mark.parametrize("body", NO_BODIES)
async def test_a_body_that_is_none(world: World, body: bytes) -> None:
    with pytest.raises(BadRequest):
        await world.say(body)


async def test_a_body_is_bounded(world: World) -> None:
    body = orjson.dumps(hit(score=1))
    world.book.served(HIT)
    await world.say(body + b" " * (4096 - len(body)))
    with pytest.raises(BodyTooLarge):
        await world.say(body + b" " * (4097 - len(body)))


async def test_a_bad_scope_is_named(world: World) -> None:
    with pytest.raises(BadRequest) as raised:
        await world.say(hit(score=1), x_cachemw_scope="s" * 5000)
    assert raised.value.param == "x-cachemw-scope"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_a_method_that_is_not_allowed(world: World, method: str) -> None:
    with pytest.raises(MethodNotAllowed):
        await world.feedback.reply(request(b"", ALICE, method))


async def test_whoever_was_not_admitted_gets_nothing(world: World) -> None:
    with pytest.raises(RuntimeError):
        await world.feedback.reply(request(orjson.dumps(hit(score=1)), Caller("")))


@pytest.mark.parametrize("id_", [HIT.answer_id, KEY.hex()])
async def test_while_the_store_is_away_it_can_be_said_again(world: World, id_: str) -> None:
    world.book.served(HIT)
    await world.book.flush()
    body = {"id": id_, "score": 0}
    world.away = True
    for _ in range(2):
        with pytest.raises(CacheUnavailable) as raised:
            await world.say(body)
        assert (b"retry-after", b"1") in raised.value.headers
        assert raised.value.status == 503
    assert await world.learnt() == []
    assert world.verdicts == []
    world.away = False
    assert await world.say(body) == {"id": id_, "removed": True}
    assert world.verdicts == ["wrong"]


async def test_looking_for_a_hit_in_a_store_that_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(world.evidence, "take", away)
    monkeypatch.setattr(world.store, "get", away)
    for id_ in ("chatcmpl-1", KEY.hex()):
        assert b"503" in await refusal(world, {"id": id_, "score": 1}, ALICE)
