"""What an answer cost is read off it, however it is cut into chunks, and charged once."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.errors import UpstreamBroken
from cachemw.identity.budgets import Account, Budget
from cachemw.identity.caller import Caller
from cachemw.identity.meter import TokenMeter, metered
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest
from tests.support.service import Clock, plain_of, stream_of

LIMIT = 1000
PLAIN = json.dumps(plain_of("A text.")).encode()
STREAM = b"".join(stream_of("A text."))


def caller(*, tpm: int | None = LIMIT) -> Caller:
    return Caller("name:a", Account(tokens=None if tpm is None else Budget("tokens", tpm, Clock())))


def call(body: bytes = b"{}", *, raw: bool = False) -> UpstreamRequest:
    return UpstreamRequest("POST", "/v1/x", b"", [], body, raw=raw)


async def chunks_of(parts: Sequence[bytes], fails: bool) -> AsyncGenerator[bytes, None]:
    for part in parts:
        yield part
    if fails:
        raise UpstreamBroken("Broke.")


def reply(
    *parts: bytes, status: int = 200, kind: bytes = b"application/json", fails: bool = False
) -> UpstreamReply:
    return UpstreamReply(status, [(b"content-type", kind)], chunks_of(parts, fails))


def charged(who: Caller) -> int:
    assert who.account is not None
    left = dict(who.account.headers())[b"x-ratelimit-remaining-tokens"]
    return LIMIT - int(left)


async def read(made: UpstreamReply) -> bytes:
    return b"".join([chunk async for chunk in made.chunks])


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20), plain=st.booleans())
def test_it_is_found_however_it_is_cut(cuts: list[int], plain: bool) -> None:
    body = PLAIN if plain else STREAM
    meter = TokenMeter()
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        meter.feed(body[start:end])
    assert meter.total == 8
    assert meter.size == len(body)


def test_a_text_cannot_pass_for_it() -> None:
    meter = TokenMeter()
    forged = plain_of('"usage":{"total_tokens":999999}, "total_tokens": 77777 ')
    meter.feed(json.dumps(forged).encode())
    assert meter.total == 8


@pytest.mark.parametrize(
    ("body", "kind"), [(PLAIN, b"application/json"), (STREAM, b"text/event-stream")]
)
async def test_what_the_upstream_says_is_charged(body: bytes, kind: bytes) -> None:
    who = caller()
    assert await read(metered(call(), reply(body, kind=kind), who)) == body
    assert charged(who) == 8


async def test_what_it_does_not_say_is_estimated() -> None:
    who = caller()
    silent = b"".join(stream_of("one two three", usage=False))
    await read(metered(call(b"x" * 400), reply(silent, kind=b"text/event-stream"), who))
    assert charged(who) == 100 + silent.count(b"data:")

    who = caller()
    await read(metered(call(b"x" * 40), reply(b"y" * 80), who))
    assert charged(who) == 10 + 20


async def test_what_is_passed_through_is_charged_only_if_it_says_so() -> None:
    who = caller()
    await read(metered(call(b"x" * 400, raw=True), reply(b"y" * 80), who))
    assert charged(who) == 0
    await read(metered(call(b"x" * 400, raw=True), reply(PLAIN), who))
    assert charged(who) == 8


async def test_an_answer_that_breaks_off_is_charged_for_what_came() -> None:
    who, came = caller(), b"".join(stream_of("one two three")[:3])
    with pytest.raises(UpstreamBroken):
        await read(metered(call(), reply(came, fails=True, kind=b"text/event-stream"), who))
    assert charged(who) == 3


async def test_a_reader_that_leaves_is_charged_and_the_upstream_closed() -> None:
    who, made = caller(), reply(b"y" * 80, b"y" * 80)
    async with aclosing(metered(call(), made, who).chunks) as chunks:
        await anext(chunks)
    assert charged(who) == 20
    with pytest.raises(StopAsyncIteration):
        await anext(made.chunks)


async def test_errors_cost_nothing() -> None:
    who = caller()
    await read(metered(call(), reply(PLAIN, status=500), who))
    assert charged(who) == 0


def test_without_a_budget_of_tokens_nothing_is_read() -> None:
    made = reply(PLAIN)
    assert metered(call(), made, caller(tpm=None)) is made
    assert metered(call(), made, Caller("name:a")) is made
