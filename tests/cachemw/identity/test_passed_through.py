"""Without virtual keys, tenants are credentials; none is kept where it could be read."""

from __future__ import annotations

import itertools

import pytest

from cachemw.http.messages import Header, HttpRequest
from cachemw.identity.base import CREDENTIAL_HEADERS
from cachemw.identity.caller import ANONYMOUS
from cachemw.identity.passed_through import PassedThrough

SHARED_KEY: Header = (b"authorization", b"Bearer gateway")


async def never() -> dict[str, object]:
    raise NotImplementedError


def admitted(identity: PassedThrough, *headers: Header) -> HttpRequest:
    request = HttpRequest("POST", "/v1/x", b"", list(headers), dict(headers), never)
    identity.admit(request)
    return request


def tenant(identity: PassedThrough, *headers: Header, scope: str | None = None) -> str:
    return admitted(identity, *headers).caller.scoped(scope)


@pytest.mark.parametrize("header", CREDENTIAL_HEADERS)
def test_another_credential_is_another_tenant(header: bytes) -> None:
    identity = PassedThrough()

    one, other = (tenant(identity, (header, key)) for key in (b"sk-1", b"sk-2"))

    assert one == tenant(identity, (header, b"sk-1"))
    assert len({one, other, ANONYMOUS.tenant}) == 3


def test_the_credential_goes_on_and_its_name_does_not_show_it() -> None:
    request = admitted(PassedThrough(), (b"authorization", b"Bearer secret"))

    assert request.header_list == [(b"authorization", b"Bearer secret")]
    assert "secret" not in request.caller.tenant


def test_nobody_in_particular() -> None:
    identity = PassedThrough()

    assert tenant(identity) == ANONYMOUS.tenant
    assert tenant(identity, (b"authorization", b"")) == ANONYMOUS.tenant


def test_every_credential_that_is_presented_counts() -> None:
    # An upstream may look at the second while a gateway writes the same first for everyone.
    identity = PassedThrough()

    names = {
        tenant(identity, SHARED_KEY),
        tenant(identity, SHARED_KEY, (b"api-key", b"ann")),
        tenant(identity, SHARED_KEY, (b"api-key", b"bob")),
        tenant(identity, SHARED_KEY, (b"x-api-key", b"ann")),
        tenant(identity, (b"api-key", b"ann")),
    }

    assert len(names) == 5


def test_a_scope_narrows_and_never_widens() -> None:
    identity = PassedThrough()
    credentials: list[list[Header]] = [
        [],
        [(b"authorization", b"Bearer a")],
        [(b"authorization", b"Bearer b")],
    ]
    scopes = [None, "", "a", "b", "shared", ANONYMOUS.tenant]

    pairs = list(itertools.product(credentials, scopes))
    names = {tenant(identity, *headers, scope=scope) for headers, scope in pairs}

    assert len(names) == len(pairs)


def test_without_isolation_all_share_but_scopes() -> None:
    identity = PassedThrough(isolation=False)
    credential: Header = (b"authorization", b"Bearer a")

    assert tenant(identity, credential) == tenant(identity)
    assert tenant(identity, credential, scope="x") == tenant(identity, scope="x")
    assert tenant(identity, scope="x") != tenant(identity)


def test_what_is_remembered_is_bounded_and_changes_no_answer() -> None:
    few, many = PassedThrough(remembered=2), PassedThrough()
    headers: list[Header] = [(b"authorization", b"key %d" % number) for number in range(10)]

    names = [tenant(few, header) for header in headers]

    assert names == [tenant(many, header) for header in headers]
    assert len(few._callers) <= 2
