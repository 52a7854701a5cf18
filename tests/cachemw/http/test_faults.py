"""Errors of the control endpoints: one shape, whatever raised them."""

from __future__ import annotations

import logging

import pytest
from fastapi import FastAPI

from cachemw.errors import NotAuthenticated, StoreUnavailable
from cachemw.http.faults import answer_faults
from tests.support.asgi import AsgiClient

RAISED = {
    "/ours": (NotAuthenticated("Who?"), 401, "Who?"),
    "/store": (StoreUnavailable("disk /a/b is full"), 503, "The store does not answer."),
    "/unforeseen": (ValueError("a prompt"), 500, "Internal error."),
}


@pytest.fixture
def client() -> AsgiClient:
    app = FastAPI()
    for path, (error, _, _) in RAISED.items():
        app.get(path)(_raiser(error))

    @app.get("/typed")
    async def typed(number: int) -> int:
        return number

    answer_faults(app)
    return AsgiClient(app)


def _raiser(error: Exception):  # type: ignore[no-untyped-def]
    async def handler() -> None:
        raise error

    return handler


@pytest.mark.parametrize("path", ["/ours", "/store"])
async def test_what_may_happen(client: AsgiClient, path: str) -> None:
    _, status, message = RAISED[path]
    reply = await client.get(path)
    assert (reply.status, reply.json()["error"]["message"]) == (status, message)
    assert reply.header("cache-control") == "no-store"


async def test_what_should_not_says_nothing_of_itself(
    client: AsgiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    exchange = client.start("GET", "/unforeseen")
    with pytest.raises(ValueError, match="a prompt"):  # raised again for the server to see
        await exchange.done()
    assert exchange.reply.status == 500
    assert exchange.reply.json()["error"]["message"] == "Internal error."
    assert "prompt" not in caplog.text


async def test_a_wrong_parameter_is_named_and_not_quoted(client: AsgiClient) -> None:
    reply = await client.start("GET", "/typed", query=b"number=secret").done()
    error = reply.json()["error"]
    assert (reply.status, error["param"], error["type"]) == (400, "number", "invalid_request_error")
    assert "secret" not in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nowhere", 404, "No such path."),
        ("POST", "/completions", 404, "Did you mean /v1/completions?"),
        ("PUT", "/typed", 405, "PUT is not allowed here."),
    ],
)
async def test_what_is_not_there(
    client: AsgiClient, method: str, path: str, status: int, said: str
) -> None:
    reply = await client.get(path, method=method)
    assert reply.status == status
    assert said in reply.json()["error"]["message"]
