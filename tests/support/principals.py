"""Callers that try to be taken for one another: credentials, keys and scopes made to collide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from cachemw.http.messages import Header, HttpRequest, by_name
from cachemw.identity.base import CREDENTIAL_HEADERS, Identity
from cachemw.identity.caller import ANONYMOUS, SHARED, Caller, tenant_hash
from cachemw.identity.passed_through import PassedThrough
from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys, key_digest
from tests.support.service import Clock

# Says, to these tests alone, that a request goes to a service with virtual keys.
_KEYED: Header = (b"x-keyed", b"1")


@dataclass(frozen=True)
class Principal:
    """Who somebody really is, by a rule of its own, and what they send."""

    identity: tuple[object, ...]
    headers: tuple[Header, ...]


class BothIdentities(Identity):
    """One cache that was used with and without virtual keys."""

    def __init__(self, *, isolation: bool) -> None:
        self._passed = PassedThrough(isolation=isolation)
        keys = [VirtualKey(key_digest(_key(n)), name) for n, name in enumerate(_NAMES)]
        keys += [VirtualKey(key_digest(_key(n, "also")), name) for n, name in enumerate(_NAMES)]
        self._keys = VirtualKeys(keys, Clock(), isolation=isolation)

    def admit(self, request: HttpRequest) -> None:
        """Admit by the one that the request says."""
        (self._keys if _KEYED[0] in request.headers else self._passed).admit(request)


def principals(count: int) -> list[Principal]:
    """Return so many who are all somebody else, the most devious first."""
    found: dict[tuple[object, ...], Principal] = {}
    for principal in _all():
        found.setdefault(principal.identity, principal)
        if len(found) == count:
            break
    return list(found.values())


def _all() -> Iterator[Principal]:
    scoped = list(product(_CREDENTIALS[:8], _SCOPES))
    scoped += [(credential, None) for credential in _CREDENTIALS]
    for credential, scope in scoped:
        yield _with_credential(credential, scope)
    for (number, name), scope in product(enumerate(_NAMES), _SCOPES):
        key = f"Bearer {_key(number)}".encode()
        headers = (_KEYED, (b"authorization", key), *_scope_headers(scope))
        yield Principal(("name", name, _heard(scope)), headers)
    for number in range(10_000):
        yield _with_credential([(b"authorization", b"Bearer sk-more-%d" % number)], None)


def _with_credential(credential: list[Header], scope: list[bytes] | None) -> Principal:
    joined = by_name(credential)
    presented = tuple(joined.get(name, b"") for name in CREDENTIAL_HEADERS)
    return Principal(
        ("credential", presented, _heard(scope)), (*credential, *_scope_headers(scope))
    )


def _scope_headers(scope: list[bytes] | None) -> tuple[Header, ...]:
    return tuple((b"x-cachemw-scope", value) for value in scope or ())


def _heard(scope: list[bytes] | None) -> str | None:
    """Return the scope as it is heard: header fields joined, without space around them."""
    return None if scope is None else b", ".join(scope).decode("latin-1").strip()


def _key(number: int, kind: str = "one") -> str:
    return f"sk-cachemw-{kind}-{number}"


def _bearer(text: bytes) -> list[Header]:
    return [(b"authorization", text)]


_VICTIM = PassedThrough()._known((b"Bearer sk-1", b"", b"", b"", b"")).tenant
_VICTIMS_SCOPE = Caller(_VICTIM).scoped("a")
_NAMED_SCOPE = Caller("name:research").scoped("a")
_TEXTS = [
    b"Bearer sk-1",
    b"Bearer sk-2",
    b"bearer sk-1",
    b"BEARER sk-1",
    b"Bearer  sk-1",
    b"Bearer\tsk-1",
    b"Bearer sk-1 x",
    b"Bearer SK-1",
    b"sk-1",
    b"Basic sk-1",
    b"Bearer",
    b"Bearer anonymous",
    ANONYMOUS.tenant.encode(),
    SHARED.encode(),
    b"name:research",
    _VICTIM.encode(),
    b"Bearer " + _VICTIM.encode(),
    b"Bearer " + _VICTIMS_SCOPE.encode(),
    b"Bearer sk-1, Bearer sk-2",
    b"Bearer sk-2, Bearer sk-1",
    b'Bearer sk-1","',
    b'["Bearer sk-1"]',
    "Bearer sk-é".encode(),
    "Bearer sk-é".encode("latin-1"),
    "Bearer sk-e\u0301".encode(),
    "Bearer ｓk-1".encode(),
    "Bearer sk-1\u200b".encode(),
    b"Bearer sk-1" * 100,
]
_CREDENTIALS: list[list[Header]] = [
    _bearer(b"Bearer sk-1"),
    [],
    _bearer(b"Bearer sk-2"),
    [(b"api-key", b"Bearer sk-1")],
    [*_bearer(b"Bearer sk-1"), (b"api-key", b"sk-2")],
    [*_bearer(b"sk-2"), (b"api-key", b"Bearer sk-1")],
    [*_bearer(b"Bearer sk-1"), *_bearer(b"Bearer sk-1")],
    [*_bearer(b"Bearer sk-1"), (b"api-key", b"")],
    *([(name, text)] for name, text in product(CREDENTIAL_HEADERS, _TEXTS)),
    *(
        [(one, b"sk-1"), (other, b"sk-1")]
        for one, other in product(CREDENTIAL_HEADERS, CREDENTIAL_HEADERS)
        if one < other
    ),
]
_SCOPES: list[list[bytes] | None] = [
    None,
    [b""],
    [b"a"],
    [b"A"],
    [b"b"],
    [b"a", b"b"],
    [b"b", b"a"],
    [b"a,b"],
    [b"a b"],
    [b'a","b'],
    [b"*"],
    [b"null"],
    [SHARED.encode()],
    [ANONYMOUS.tenant.encode()],
    [b"name:research"],
    [b"research"],
    [_VICTIM.encode()],
    [_VICTIMS_SCOPE.encode()],
    [_NAMED_SCOPE.encode()],
    ["é".encode()],
    ["é".encode("latin-1")],
    [b"a" * 500],
]
_NAMES = [
    "research",
    "sales",
    "Research",
    "research ",
    "name:research",
    "research:a",
    'research","a',
    ANONYMOUS.tenant,
    SHARED,
    "name:",
    _VICTIM,
    _VICTIMS_SCOPE,
    _NAMED_SCOPE,
    tenant_hash(b""),
    "ré",
    "re\u0301",
    "*",
]
