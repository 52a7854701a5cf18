"""The same on real connections: names in other cases, headers twice, space around what they say."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import product

import pytest

from cachemw.app import build
from cachemw.config import load_config
from tests.support.fakes import running_fake
from tests.support.servers import ServerThread

ANN, BOB = "sk-cachemw-ann", "sk-cachemw-bob"
NAMES = ("Authorization", "AUTHORIZATION", "authorization", "aUTHORIZATION")
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Ann's own?"}]})
Headers = list[tuple[str, str]]


@pytest.fixture(params=["passed through", "virtual keys"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Serve cachemw with answers of Ann's in it."""
    keys = [
        {"name": key, "sha256": sha256(key.encode()).hexdigest(), "tenant": key}
        for key in (ANN, BOB)
    ]
    with running_fake(tokens=4) as fake:
        config = load_config(
            {
                "mode": "exact",
                "upstreams": [{"name": "fake", "base_url": fake.url + "/v1", "models": ["*"]}],
                "store": {"kind": "memory"},
                "identity": {"keys": keys if request.param == "virtual keys" else []},
            },
            env={},
        )
        with ServerThread(build(config, env={}).asgi) as server:
            for scope in ([], [("x-cachemw-scope", "a")]):
                assert asked(server.port, [*bearer(ANN), *scope]) == 200
            yield server.port


def bearer(key: str, name: str = "Authorization", scheme: str = "Bearer ") -> Headers:
    return [(name, scheme + key)]


def asked(port: int, headers: Headers, *, only_stored: bool = False) -> int:
    """Ask Ann's question with these headers as they are; returns the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/v1/chat/completions")
    stored = [("Cache-Control", "only-if-cached")] if only_stored else []
    for name, value in (*headers, *stored, ("Content-Length", str(len(BODY)))):
        connection.putheader(name, value.encode())
    connection.endheaders(BODY.encode())
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_same_in_any_case(port: int, name: str) -> None:
    for value in (f"Bearer {ANN}", f"   Bearer {ANN}"):
        assert asked(port, [(name, value)], only_stored=True) == 200
    for scope in ("X-Cachemw-Scope", "x-CACHEMW-scope"):
        assert asked(port, [(name, f"Bearer {ANN}"), (scope, " a ")], only_stored=True) == 200


def test_nobody_else_is_taken_for_ann(port: int) -> None:
    others: list[Headers] = [
        [],
        bearer(BOB),
        bearer(ANN.upper()),
        bearer(ANN + "x"),
        bearer(ANN + "é"),
        bearer(""),
        bearer(ANN, name="X-Authorization"),
        bearer(ANN, name="Proxy-Authorization"),
        [("Cookie", f"authorization=Bearer {ANN}")],
        [*bearer(BOB), *bearer(ANN)],
        [*bearer(ANN), *bearer(BOB)],
        [*bearer(ANN), *bearer(ANN)],
        [*bearer(BOB), ("api-key", ANN)],
        [*bearer(ANN), ("api-key", BOB)],
        [("x-goog-api-key", ANN)],
    ]
    scopes: list[Headers] = [
        [],
        [("x-cachemw-scope", "a")],
        [("x-cachemw-scope", ANN)],
        [("x-cachemw-scope", f"name:{ANN}")],
    ]
    cased = [[(name.swapcase(), value) for name, value in other] for other in others]
    probes = [[*who, *scope] for who, scope in product([*others, *cased], scopes)]

    found = [probe for probe in probes if asked(port, probe, only_stored=True) == 200]

    assert not found
    assert len(probes) == 120
