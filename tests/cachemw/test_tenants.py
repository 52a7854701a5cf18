"""Tenants never meet, and a credential is never kept where it could be read."""

from __future__ import annotations

import itertools

import pytest

from cachemw.tenants import ANONYMOUS, Tenants

HEADERS = (
    b"authorization",
    b"api-key",
    b"x-api-key",
    b"x-goog-api-key",
    b"ocp-apim-subscription-key",
)


@pytest.mark.parametrize("header", HEADERS)
def test_another_credential_is_another_tenant(header: bytes) -> None:
    tenants = Tenants()

    one, other = (tenants.identify({header: key}, None) for key in (b"sk-1", b"sk-2"))

    assert one == tenants.identify({header: b"sk-1"}, None)
    assert len({one, other, ANONYMOUS}) == 3


def test_the_credential_does_not_appear_in_the_name() -> None:
    assert "secret" not in Tenants().identify({b"authorization": b"Bearer secret"}, None)


def test_nobody_in_particular() -> None:
    tenants = Tenants()

    assert tenants.identify({}, None) == ANONYMOUS
    assert tenants.identify({b"authorization": b""}, None) == ANONYMOUS


def test_every_credential_that_is_presented_counts() -> None:
    # An upstream may look at the second while a gateway writes the same first for everyone.
    tenants = Tenants()
    shared = {b"authorization": b"Bearer gateway"}

    names = {
        tenants.identify(headers, None)
        for headers in (
            shared,
            {**shared, b"api-key": b"ann"},
            {**shared, b"api-key": b"bob"},
            {**shared, b"x-api-key": b"ann"},
            {b"api-key": b"ann"},
        )
    }

    assert len(names) == 5


def test_a_scope_narrows_and_never_widens() -> None:
    tenants = Tenants()
    credentials: list[dict[bytes, bytes]] = [
        {},
        {b"authorization": b"Bearer a"},
        {b"authorization": b"Bearer b"},
    ]
    scopes = [None, "", "a", "b", "shared", ANONYMOUS]

    pairs = list(itertools.product(credentials, scopes))
    names = {tenants.identify(headers, scope) for headers, scope in pairs}

    assert len(names) == len(pairs)


def test_a_scope_cannot_name_another_tenant() -> None:
    tenants = Tenants()
    victim = tenants.identify({b"authorization": b"Bearer victim"}, None)

    assert tenants.identify({}, victim) != victim


def test_without_isolation_all_share_but_scopes() -> None:
    tenants = Tenants(isolation=False)
    credential = {b"authorization": b"Bearer a"}

    assert tenants.identify(credential, None) == tenants.identify({}, None)
    assert tenants.identify(credential, "x") == tenants.identify({}, "x")
    assert tenants.identify({}, "x") != tenants.identify({}, None)


def test_what_is_remembered_is_bounded_and_changes_no_answer() -> None:
    few, many = Tenants(remembered=2), Tenants()
    headers = [{b"authorization": b"key %d" % number} for number in range(10)]

    names = [few.identify(header, None) for header in headers]

    assert names == [many.identify(header, None) for header in headers]
    assert len(few._hashes) <= 2
