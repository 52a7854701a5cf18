from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.support.fakes import RunningFake, running_fake


# One server and one client a file: starting them takes longer than most tests.
@pytest.fixture(scope="module")
def fake() -> Iterator[RunningFake]:
    with running_fake(tokens=8) as running:
        yield running


@pytest.fixture(scope="module")
def client(fake: RunningFake) -> Iterator[OpenAI]:
    with OpenAI(base_url=fake.url + "/v1", api_key="sk-test", max_retries=0) as official:
        yield official


@pytest.fixture
async def async_client(fake: RunningFake) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=fake.url + "/v1", api_key="sk-test", max_retries=0) as official:
        yield official


@pytest.fixture
def http(fake: RunningFake) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url) as raw:
        yield raw
