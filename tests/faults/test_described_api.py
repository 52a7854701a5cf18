"""schemathesis on our OpenAPI document: every operation, fed what fits it and what does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cachemw.app import build
from cachemw.config import load_config
from tests.support.fakes import running_fake
from tests.support.servers import ServerThread

EXAMPLES = 40  # of each operation, that fit and that do not
AT_LEAST = 800  # requests in all
TOKEN = "the-admin-token-of-this-test"
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: Any, value: Any) -> bytes:
    """Write what was generated as lines of JSON; a text as it is."""
    if isinstance(value, str | bytes):
        return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    rows = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve cachemw in front of a fake upstream; its URL."""
    with running_fake(tokens=4) as fake:
        config = load_config(
            {
                "mode": "exact",
                "cache_dir": str(_directory(tmp_path_factory)),
                "upstreams": [{"name": "fake", "base_url": fake.url + "/v1", "models": ["*"]}],
                "admin": {"token_sha256": sha256(TOKEN.encode()).hexdigest()},
            },
            env={},
        )
        with ServerThread(build(config, env={}).asgi) as server:
            yield server.url


def _directory(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("described")


@pytest.mark.timeout(600)
def test_every_described_operation(served: str) -> None:
    schema = schemathesis.openapi.from_url(served + "/openapi.json")
    sent: Counter[str] = Counter()
    with httpx.Client(base_url=served) as client:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            for mode in GenerationMode:
                _exercise(operation, mode, sent)
            assert client.get("/healthz").status_code == 200
    assert {"/healthz", "/v1/chat/completions", "/cache/entries"} <= sent.keys()
    assert sum(sent.values()) >= AT_LEAST, sent


def _exercise(operation: Any, mode: GenerationMode, sent: Counter[str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def exercised(case: Any) -> None:
        response = case.call(headers=HEADERS, timeout=30)
        sent[operation.path] += 1
        case.validate_response(response, checks=[not_a_server_error, *_conformance(operation)])

    with suppress(Unsatisfiable):  # nothing can be wrong with a request that takes nothing
        exercised()


def _conformance(operation: Any) -> list[Any]:
    """Return the checks of an answer; what /v1 answers is the upstream's to describe."""
    if operation.path.startswith("/v1/"):
        return []
    return [content_type_conformance, response_schema_conformance, status_code_conformance]
