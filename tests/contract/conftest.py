"""One proxy in front of one fake upstream for all contract tests.

They share it as real applications would. What keeps them apart is that every test asks questions of
its own, and counts upstream calls by question.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

from cachemw.app import build
from cachemw.config import load_config
from tests.contract.learning import Learning, learning_proxy
from tests.support.fakes import RunningFake, running_fake
from tests.support.servers import ServerThread, wait_until

MAX_BODY_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """A text nobody has asked before, wrapped for each API."""

    text: str

    def chat(self, directives: str = "", **more: Any) -> dict[str, Any]:
        """Return the arguments of `client.chat.completions.create`."""
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": self.text},
        ]
        return self._ask(directives, more, messages=messages)

    def response(self, directives: str = "", **more: Any) -> dict[str, Any]:
        """Return the arguments of `client.responses.create`."""
        return self._ask(directives, more, input=self.text)

    def completion(self, directives: str = "", **more: Any) -> dict[str, Any]:
        """Return the arguments of `client.completions.create`."""
        return self._ask(directives, more, prompt=self.text)

    def embedding(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of `client.embeddings.create`."""
        return self._ask("", more, input=self.text)

    def _ask(self, directives: str, more: dict[str, Any], **subject: Any) -> dict[str, Any]:
        # In the body, not in a header: unknown fields are passed on and are part of the key.
        extra = {"x_fake": directives} if directives else {}
        body = extra | more.pop("extra_body", {})
        return {"model": "fake-large", **subject, "extra_body": body, **more}


def as_json(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the body that the client would send for these arguments."""
    extra: dict[str, Any] = arguments["extra_body"]
    return {name: arguments[name] for name in arguments if name != "extra_body"} | extra


@pytest.fixture(scope="session")
def fake() -> Iterator[RunningFake]:
    with running_fake(tokens=8) as running:
        yield running


@pytest.fixture(scope="session")
def proxy(fake: RunningFake, embedder_cache: Path) -> Iterator[str]:
    """Serve cachemw; the value is its URL."""
    config = load_config(
        {
            "cache_dir": str(embedder_cache),
            "upstreams": [
                {
                    "name": "fake",
                    "base_url": fake.url + "/v1",
                    "models": ["*"],
                    "retry_base_seconds": 0.01,
                    # The tests that have it fail must not have it left alone.
                    "breaker_failures": 1_000_000,
                }
            ],
            "store": {"kind": "memory"},
            # Late on a machine that does much else is not what these tests are about.
            "semantic": {"max_temperature": 1.2, "verify_seconds": 5.0},
            # The fake answers at once, so that no category would earn its lookups.
            "accounting": {"probes": 1.0},
            # Now and then a hit would be asked anew to check it.
            "shadow": {"share": 0},
            "server": {"max_body_bytes": MAX_BODY_BYTES, "shutdown_seconds": 1.0},
        },
        env={},
    )
    with ServerThread(build(config, env={}).asgi) as server:
        # Embedder and verifier load in the background; there are no semantic hits without them.
        wait_until(
            lambda: httpx.get(server.url + "/readyz").status_code == 200,
            timeout=60.0,
            what="readiness",
        )
        yield server.url


@pytest.fixture(scope="session")
def learning(
    fake: RunningFake, embedder_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Learning]:
    directory = tmp_path_factory.mktemp("learning")
    with learning_proxy(fake.url, embedder_cache, directory) as running:
        yield running


@pytest.fixture(scope="session")
def client(proxy: str) -> Iterator[OpenAI]:
    """Return the official client on the proxy; exact only, so no test answers another."""
    with OpenAI(
        base_url=proxy + "/v1",
        api_key="sk-alice",
        max_retries=0,
        default_headers={"x-cachemw-mode": "exact"},
    ) as official:
        yield official


@pytest.fixture(scope="session")
def direct(fake: RunningFake) -> Iterator[OpenAI]:
    """Return the official client on the upstream: what the proxy's answers are compared with."""
    with OpenAI(base_url=fake.url + "/v1", api_key="sk-direct", max_retries=0) as official:
        yield official


@pytest.fixture
async def async_client(proxy: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=proxy + "/v1",
        api_key="sk-alice",
        max_retries=0,
        default_headers={"x-cachemw-mode": "exact"},
    ) as official:
        yield official


@pytest.fixture(scope="session")
def http(proxy: str) -> Iterator[httpx.Client]:
    """Return a plain HTTP client on the proxy, for what the official one would not send or show."""
    headers = {"authorization": "Bearer sk-alice", "x-cachemw-mode": "exact"}
    with httpx.Client(base_url=proxy, headers=headers, timeout=10.0) as raw:
        yield raw


@pytest.fixture
def question() -> Question:
    return Question(f"What is known about {uuid.uuid4()}?")
