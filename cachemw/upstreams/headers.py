"""Which headers cross the proxy."""

from __future__ import annotations

from collections.abc import Iterable

from cachemw.http.messages import Header

# RFC 9110, section 7.6.1, and what each side's HTTP library writes itself.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# What a backend knows its client by.
CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key"})
# What says, in the first backend's terms, who the client is there.
_PERSONAL = CREDENTIALS | {b"cookie", b"openai-organization", b"openai-project"}
_OUR_PREFIX = b"x-cachemw-"
# A cached endpoint's body is written anew, decoded, and its directives are ours.
_REQUEST_REWRITTEN = frozenset({b"accept-encoding", b"cache-control", b"content-length"})
_RESPONSE_REWRITTEN = frozenset({b"content-encoding", b"content-length", b"content-type"})
# The proxy answers for these itself.
_RESPONSE_OURS = frozenset({b"date", b"server", b"cache-control", b"age", b"cache-status"})


def to_upstream(headers: Iterable[Header], *, rewritten: bool) -> list[Header]:
    """Keep what the upstream should see; `rewritten` where the body is not the client's bytes."""
    dropped = _HOP_BY_HOP | {b"host"} | (_REQUEST_REWRITTEN if rewritten else frozenset())
    return _kept(headers, dropped)


def to_client(headers: Iterable[Header], *, rewritten: bool) -> list[Header]:
    """Keep what the client should see; `rewritten` where the body is not the upstream's bytes."""
    dropped = _HOP_BY_HOP | (
        _RESPONSE_REWRITTEN | _RESPONSE_OURS if rewritten else {b"date", b"server"}
    )
    return _kept(headers, dropped)


def to_another(headers: Iterable[Header]) -> list[Header]:
    """Keep what a backend may see that the client did not mean: nothing of who the client is."""
    return [header for header in headers if header[0] not in _PERSONAL]


def _kept(headers: Iterable[Header], dropped: frozenset[bytes]) -> list[Header]:
    headers = list(headers)
    named = {
        name.strip().lower()
        for key, value in headers
        if key == b"connection"
        for name in value.split(b",")
    }
    return [
        (key, value)
        for key, value in headers
        if key not in dropped and key not in named and not key.startswith(_OUR_PREFIX)
    ]
