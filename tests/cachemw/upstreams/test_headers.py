"""Which headers cross the proxy."""

from __future__ import annotations

import pytest

from cachemw.upstreams.headers import to_client, to_upstream

HOP_BY_HOP = [
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
]


def crosses(name: bytes, *, rewritten: bool, to: str) -> bool:
    cross = to_upstream if to == "upstream" else to_client
    return cross([(name, b"x")], rewritten=rewritten) == [(name, b"x")]


@pytest.mark.parametrize("rewritten", [True, False])
class TestAlways:
    @pytest.mark.parametrize("name", HOP_BY_HOP)
    def test_hop_by_hop_headers_stay(self, name: bytes, *, rewritten: bool) -> None:
        assert not crosses(name, rewritten=rewritten, to="upstream")
        assert not crosses(name, rewritten=rewritten, to="client")

    @pytest.mark.parametrize("name", [b"x-cachemw-mode", b"x-cachemw-scope", b"x-cachemw-layer"])
    def test_ours_stay(self, name: bytes, *, rewritten: bool) -> None:
        assert not crosses(name, rewritten=rewritten, to="upstream")
        assert not crosses(name, rewritten=rewritten, to="client")

    def test_what_connection_names_stays(self, *, rewritten: bool) -> None:
        headers = [(b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"x-end", b"2")]

        assert to_upstream(headers, rewritten=rewritten) == [(b"x-end", b"2")]
        assert to_client(headers, rewritten=rewritten) == [(b"x-end", b"2")]

    def test_the_rest_crosses_in_order_and_as_often_as_it_came(self, *, rewritten: bool) -> None:
        headers = [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3"), (b"authorization", b"k")]

        assert to_upstream(headers, rewritten=rewritten) == headers
        assert to_client(headers, rewritten=rewritten) == headers

    def test_the_host_is_the_upstreams(self, *, rewritten: bool) -> None:
        assert not crosses(b"host", rewritten=rewritten, to="upstream")


@pytest.mark.parametrize("name", [b"accept-encoding", b"cache-control", b"content-length"])
def test_a_request_that_is_written_anew(name: bytes) -> None:
    assert not crosses(name, rewritten=True, to="upstream")
    assert crosses(name, rewritten=False, to="upstream")


@pytest.mark.parametrize(
    "name",
    [
        b"age",
        b"cache-control",
        b"cache-status",
        b"content-encoding",
        b"content-length",
        b"content-type",
    ],
)
def test_a_reply_that_is_written_anew(name: bytes) -> None:
    assert not crosses(name, rewritten=True, to="client")
    assert crosses(name, rewritten=False, to="client")


@pytest.mark.parametrize("name", [b"x-request-id", b"retry-after", b"x-ratelimit-remaining-tokens"])
def test_what_clients_rely_on_is_passed_on(name: bytes) -> None:
    assert crosses(name, rewritten=True, to="client")
