"""The client against servers that do not behave."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import orjson
import pytest

from cachemw.admin.client import AdminClient, AdminFailed, NoSuchEntry

Handler = Callable[[httpx.Request], httpx.Response]


def _client(handler: Handler) -> AdminClient:
    return AdminClient("http://there", "token", httpx.MockTransport(handler))


def _error(message: str) -> bytes:
    return orjson.dumps({"error": {"message": message, "code": None}})


def test_the_token_goes_in_a_header_and_nowhere_else() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b'{"entries":1}')

    assert _client(handler).stats() == {"entries": 1}
    assert seen[0].headers["authorization"] == "Bearer token"
    assert "token" not in str(seen[0].url)


def test_categories() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("GET", "/cache/categories")
        return httpx.Response(200, content=b'{"categories":[{"category":"code"}]}')

    assert _client(handler).categories() == [{"category": "code"}]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (httpx.Response(401, content=_error("No.")), "No."),
        (httpx.Response(502, content=b"<html>"), "The server answers 502."),
        (httpx.Response(500, content=b'{"error": "x"}'), "The server answers 500."),
        (httpx.Response(200, content=b"<html>"), "does not answer like cachemw"),
    ],
)
def test_refusals_and_strangers(reply: httpx.Response, said: str) -> None:
    with pytest.raises(AdminFailed, match=said):
        _client(lambda _: reply).stats()


def test_an_entry_that_is_not_there() -> None:
    client = _client(lambda _: httpx.Response(404, content=_error("There is no such entry.")))
    with pytest.raises(NoSuchEntry, match="no such entry"):
        client.get("0" * 64)


def test_lines_in_any_pieces() -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b"on", b"e\ntw", b"o\nthree\n")

    client = _client(lambda _: httpx.Response(200, content=pieces()))
    assert list(client.export({})) == [b"one", b"two", b"three"]


def test_a_stream_that_tells_of_a_failure() -> None:
    body = b'{"id":"1"}\n' + _error("The store failed.") + b"\n"
    found = _client(lambda _: httpx.Response(200, content=body)).entries({})
    assert next(found) == {"id": "1"}
    with pytest.raises(AdminFailed, match=r"The store failed\."):
        next(found)


@pytest.mark.parametrize("whole", [True, False])
def test_a_stream_that_breaks_off(whole: bool) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one\ntw"
        if not whole:
            raise httpx.RemoteProtocolError("closed")

    found = _client(lambda _: httpx.Response(200, content=pieces())).export({})
    assert next(found) == b"one"
    with pytest.raises(AdminFailed, match="broke off"):
        next(found)


def test_labels_go_where_labels_belong() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/cache/stats":
            return httpx.Response(200, content=b"{}")
        assert request.url.path == "/cache/labels"
        assert dict(request.url.params) == {"keep_going": "false", "dry_run": "true"}
        assert request.headers["content-type"] == "application/x-ndjson"
        return httpx.Response(200, content=b'{"imported": %d}' % len(request.read()))

    found = _client(handler).load_labels([b"{}", b"\n"], keep_going=False, dry_run=True)
    assert found == {"imported": 3}


def test_whoever_may_not_import_is_told_before_anything_is_sent() -> None:
    paths: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(401, content=_error("No."))

    with pytest.raises(AdminFailed):
        _client(handler).load([b"{}"], keep_going=False)
    assert paths == ["/cache/stats"]


def test_a_purge_without_a_result_is_none() -> None:
    client = _client(lambda _: httpx.Response(200, content=b""))
    with pytest.raises(AdminFailed, match="does not answer like cachemw"):
        list(client.purge({}, dry_run=True))
