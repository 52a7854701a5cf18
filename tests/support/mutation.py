"""Damaged requests, made from valid ones; the same for the same seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request. `pieces` is its body as it arrives; `cut` where the client leaves before its end.

    `path` is as it stands on the wire.
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    pieces: tuple[bytes, ...]
    cut: bool = False


BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [
        {"model": "m", "messages": [{"role": "user", "content": "What is up?"}]},
        {
            "model": "m",
            "stream": True,
            "stream_options": {"include_usage": True},
            "n": 2,
            "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Grüße 日本"}]},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        },
    ],
    "/v1/completions": [{"model": "m", "prompt": "Once", "stream": False, "echo": True}],
    "/v1/embeddings": [{"model": "m", "input": ["one", "two"], "encoding_format": "float"}],
    "/v1/responses": [
        {"model": "m", "input": "Hello", "stream": True, "store": False},
        {
            "model": "m",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
            "instructions": "Be brief.",
        },
    ],
}
_HEADERS: Headers = (
    (b"cache-control", b"no-cache, max-age=60"),
    (b"cache-control", b"only-if-cached"),
    (b"cache-control", b"no-store"),
    (b"x-cachemw-mode", b"semantic"),
    (b"x-cachemw-mode", b"off"),
    (b"x-cachemw-threshold", b"0.97"),
    (b"x-cachemw-ttl", b"30"),
    (b"x-cachemw-tags", b"a,b"),
    (b"x-cachemw-scope", b"team"),
    (b"x-cachemw-category", b"code"),
    (b"openai-beta", b"assistants=v2"),
    (b"api-key", b"k"),
    (b"content-type", b"application/json"),
    (b"content-encoding", b"gzip"),
    (b"accept-encoding", b"gzip, br"),
    (b"connection", b"authorization, close"),
    (b"content-length", b"12"),
    (b"transfer-encoding", b"chunked"),
    (b"expect", b"100-continue"),
    (b"x-stainless-retry-count", b"2"),
    (b"retry-after", b"5"),
    (b"forwarded", b"for=1.2.3.4"),
    (b"cookie", b"a=b"),
)
_PATHS = (
    b"/v1/",
    b"/v1/models",
    b"/v1/models/m",
    b"/v1/chat/completions/",
    b"/v1//x",
    b"/v1/files/..",
    b"/v1/../healthz",
    b"/v1/%00",
    b"/v1/a%20b",
    b"/v1/%ff%fe",
    b"/v1/chat%2Fcompletions",
    b"/v1/moderations",
    b"/v1",
    b"/",
    b"/healthz",
    b"/readyz",
    b"/openapi.json",
    b"/cache/entries",
    b"/cache/entries/00ff",
    b"/cache/purge",
    b"/cache/stats",
    b"/nowhere",
)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW", "post")
_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1.5,
    1e308,
    -1e-320,
    2**63,
    2**70,
    float("inf"),
    float("nan"),
    "",
    "x",
    "\0",
    "\ud800",
    "\U0001f600" * 40,
    "a" * 3000,
    [],
    {},
    [[]],
    [None],
    {"": {"": []}},
)
_TOKENS = (
    b"{",
    b"[",
    b"}",
    b'"',
    b"\\u",
    b"\\ud800",
    b"null",
    b"-",
    b"1e999",
    b"\xff",
    b"\xc0\x80",
)
_NESTING = (8, 200, 900, 1100, 5000, 20000)
# What no HTTP parser lets through in a header's value.
_NOT_IN_VALUES = frozenset(range(32)) - {9} | {127}


def request(rng: Random) -> Sent:
    """Return the next request: a valid one with one to three kinds of damage, or none."""
    sent = _valid(rng)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        sent = rng.choice(_DAMAGES)(rng, sent)
    return sent


def mutated_bytes(rng: Random, data: bytes) -> bytes:
    """Change, insert and delete a few bytes."""
    out = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            out[at:at] = bytes([rng.randrange(256)])
        elif kind == 1:
            del out[at : at + rng.randrange(1, 8)]
        elif kind == 2 and at < len(out):
            out[at] = rng.randrange(256)
        else:
            out[at:at] = rng.choice(_TOKENS)
    return bytes(out)


def mutated_value(rng: Random, value: Any) -> Any:
    """Replace something inside by a value of any kind, add a field, or take one away."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if kind < 0.2:
            return value | {rng.choice(("", "x", "n", "store", "id", name * 9)): _any(rng)}
        return value | {name: mutated_value(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], mutated_value(rng, value[at]), *value[at + 1 :]]
    return _any(rng)


def _any(rng: Random) -> Any:
    return rng.choice(_VALUES)


def _valid(rng: Random) -> Sent:
    path = rng.choice(list(BODIES))
    body = _json(rng.choice(BODIES[path]))
    headers = tuple(rng.sample(_HEADERS[:12], rng.randrange(3)))
    return Sent("POST", path.encode(), b"", headers, (body,))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _other_value(rng: Random, sent: Sent) -> Sent:
    body = rng.choice(BODIES.get(sent.path.decode("latin-1"), BODIES["/v1/embeddings"]))
    for _ in range(rng.randrange(1, 3)):
        body = mutated_value(rng, body)
    return replace(sent, pieces=(_json(body),))


def _other_bytes(rng: Random, sent: Sent) -> Sent:
    return replace(sent, pieces=(mutated_bytes(rng, b"".join(sent.pieces)),))


def _deep(rng: Random, sent: Sent) -> Sent:
    depth, kind = rng.choice(_NESTING), rng.randrange(3)
    if kind == 0:
        inner = b"[" * depth + b"]" * depth
    elif kind == 1:
        inner = b'{"a":' * depth + b"1" + b"}" * depth
    else:
        inner = b"[" * depth
    body = b'{"model":"m","input":"x","prompt":"x","messages":[{"role":"user","content":"x"}],"y":'
    return replace(sent, pieces=(body + inner + b"}",))


def _huge_number(rng: Random, sent: Sent) -> Sent:
    digits = b"9" * rng.choice((20, 400, 5000))
    number = rng.choice((digits, b"-" + digits, b"1e" + digits, b"0." + digits, b"1" + b"0" * 60))
    body = b"".join(sent.pieces).rstrip()
    return replace(sent, pieces=(body[:-1] + b',"max_tokens":' + number + b"}",))


def _twice(rng: Random, sent: Sent) -> Sent:
    body = b"".join(sent.pieces).rstrip()
    name = rng.choice((b"model", b"messages", b"input", b"prompt", b"stream", b"n"))
    value = _json(_any(rng))
    return replace(sent, pieces=(body[:-1] + b',"' + name + b'":' + value + b"}",))


def _in_pieces(rng: Random, sent: Sent) -> Sent:
    body = b"".join(sent.pieces)
    cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.randrange(1, 6)))
    edges = [0, *cuts, len(body)]
    pieces = tuple(body[a:b] for a, b in pairwise(edges))
    return replace(sent, pieces=pieces, cut=rng.random() < 0.2)


def _other_headers(rng: Random, sent: Sent) -> Sent:
    chosen = [
        (name, _value(rng, value) if rng.random() < 0.7 else value)
        for name, value in rng.sample(_HEADERS, rng.randrange(1, 6))
    ]
    if rng.random() < 0.2:
        chosen += chosen[:1]
    return replace(sent, headers=(*sent.headers, *chosen))


def _long_header(rng: Random, sent: Sent) -> Sent:
    name, value = rng.choice(_HEADERS)
    return replace(sent, headers=(*sent.headers, (name, value * rng.choice((50, 500)))))


def _value(rng: Random, value: bytes) -> bytes:
    """Damage a value within what an HTTP parser lets through."""
    return bytes(b for b in mutated_bytes(rng, value) if b not in _NOT_IN_VALUES).strip()


def _other_path(rng: Random, sent: Sent) -> Sent:
    path = rng.choice((*_PATHS, sent.path))
    if rng.random() < 0.3:
        damaged = (b for b in mutated_bytes(rng, path) if 33 <= b < 127 and b not in b"?#")
        path = b"/" + bytes(damaged).lstrip(b"/")
    return replace(sent, path=path, method=rng.choice(_METHODS))


def _other_query(rng: Random, sent: Sent) -> Sent:
    query = rng.choice((b"a=b", b"%", b"limit=99999999999999999999", b"&&=", b"tenant=%ff&x", b"?"))
    if rng.random() < 0.5:
        query = bytes(b for b in mutated_bytes(rng, query) if 33 <= b < 127 and b not in b"#")
    return replace(sent, query=query)


def _other_method(rng: Random, sent: Sent) -> Sent:
    return replace(sent, method=rng.choice(_METHODS))


_DAMAGES = (
    _other_value,
    _other_value,
    _other_value,
    _other_bytes,
    _other_bytes,
    _other_headers,
    _other_headers,
    _other_path,
    _other_query,
    _other_method,
    _in_pieces,
    _twice,
    _huge_number,
    _deep,
    _long_header,
)
