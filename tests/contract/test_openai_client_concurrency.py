"""Identical requests in flight share one upstream call, whichever way they ask."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import openai
from openai import AsyncOpenAI

from tests.contract.conftest import Question
from tests.support.fakes import RunningFake

CROWD = 200


async def _plain(client: AsyncOpenAI, ask: dict[str, Any]) -> str:
    answer = await client.chat.completions.create(**ask)
    return str(answer.choices[0].message.content)


async def _streamed(client: AsyncOpenAI, ask: dict[str, Any]) -> str:
    stream = await client.chat.completions.create(**ask, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def _crowd(client: AsyncOpenAI, ask: dict[str, Any], *, size: int = CROWD) -> list[str]:
    """Ask many times at once, every other time for a stream."""
    asking = ((_plain, _streamed)[turn % 2](client, ask) for turn in range(size))
    return await asyncio.gather(*asking)


async def test_a_crowd_asks_upstream_once(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    # `vary`: were there two calls, there would be two answers.
    answers = await _crowd(async_client, question.chat("vary;delay=0.5;tokens=20;tpot-ms=5"))
    assert len(answers) == CROWD
    assert len(set(answers)) == 1
    assert len(answers[0].split()) == 20
    assert fake.asked(question.text) == 1


async def test_a_crowd_of_streams_follows_live(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("tokens=40;tpot-ms=25")
    leader = asyncio.create_task(_streamed(async_client, ask))
    await asyncio.sleep(0.3)
    stream = await async_client.chat.completions.create(**ask, stream=True)
    chunks = aiter(stream)
    await anext(chunks)
    # The follower has its first chunk while the leader is still waiting for its last.
    assert not leader.done()
    rest = [chunk.choices[0].delta.content or "" async for chunk in chunks]
    assert "".join(rest) == await leader
    assert fake.asked(question.text) == 1


async def test_followers_survive_a_leader_that_leaves(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("tokens=20;tpot-ms=20")
    leader = await async_client.chat.completions.create(**ask, stream=True)
    await anext(aiter(leader))
    followers = asyncio.create_task(_crowd(async_client, ask, size=10))
    await asyncio.sleep(0.05)
    await leader.close()
    answers = set(await followers)
    assert len(answers) == 1
    assert len(answers.pop().split()) == 20
    assert fake.asked(question.text) == 1


async def test_a_follower_takes_over_from_a_leader_that_failed(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("delay=0.3;die;times=1")
    results = await asyncio.gather(
        *(_plain(async_client, ask) for _ in range(10)), return_exceptions=True
    )
    good = {result for result in results if isinstance(result, str)}
    failed = [result for result in results if isinstance(result, BaseException)]
    assert len(good) == 1
    assert all(isinstance(error, openai.APIStatusError) for error in failed)
    assert len(failed) <= 1  # the leader itself
    assert fake.asked(question.text) == 2


async def test_an_error_status_reaches_everybody_and_is_not_kept(
    async_client: AsyncOpenAI, question: Question
) -> None:
    ask = question.chat("delay=0.2;status=429;retry-after=3")
    results = await asyncio.gather(
        *(_plain(async_client, ask) for _ in range(10)), return_exceptions=True
    )
    assert Counter(map(type, results)) == {openai.RateLimitError: 10}


async def test_different_requests_do_not_wait_for_each_other(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    slow = asyncio.create_task(_plain(async_client, question.chat("delay=2")))
    await asyncio.sleep(0.1)
    await asyncio.wait_for(_plain(async_client, question.chat()), timeout=1.0)
    assert not slow.done()
    assert len({await slow}) == 1
    assert fake.asked(question.text) == 2


async def test_tenants_do_not_share_a_flight(
    async_client: AsyncOpenAI, fake: RunningFake, question: Question
) -> None:
    ask = question.chat("vary;delay=0.3")
    tenants = [async_client.with_options(api_key=f"sk-flight-{number}") for number in range(3)]
    answers = await asyncio.gather(*(_plain(tenant, ask) for tenant in tenants for _ in range(5)))
    assert len(set(answers)) == 3
    assert fake.asked(question.text) == 3


async def test_health_answers_while_upstream_hangs(
    async_client: AsyncOpenAI, proxy: str, question: Question
) -> None:
    hanging = [
        asyncio.create_task(_plain(async_client, question.chat("delay=3", seed=seed)))
        for seed in range(20)
    ]
    await asyncio.sleep(0.2)
    async with httpx.AsyncClient(base_url=proxy, timeout=1.0) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
