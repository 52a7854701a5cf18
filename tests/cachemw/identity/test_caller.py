"""Tenants and scopes never meet, however they are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.identity.caller import ANONYMOUS, NOT_ADMITTED, SHARED, Caller, tenant_hash

_TENANTS = st.one_of(
    st.sampled_from([ANONYMOUS.tenant, SHARED, "name:a", "name:", 'name:a","b', "name:name:a"]),
    st.text(max_size=20).map(lambda name: f"name:{name}"),
    st.binary(max_size=8).map(tenant_hash),
)
# As they come out of a header: latin-1.
_SCOPES = st.none() | st.text(
    st.characters(max_codepoint=255, exclude_categories=["Cs"]), max_size=20
)


@given(one=_TENANTS, other=_TENANTS, scope=_SCOPES, other_scope=_SCOPES)
def test_two_that_differ_never_meet(
    one: str, other: str, scope: str | None, other_scope: str | None
) -> None:
    meet = Caller(one).scoped(scope) == Caller(other).scoped(other_scope)

    assert meet == ((one, scope) == (other, other_scope))


@given(attacker=_TENANTS, victim=_TENANTS, scope=_SCOPES)
def test_a_scope_cannot_name_another_tenant(attacker: str, victim: str, scope: str | None) -> None:
    target = Caller(victim).scoped(scope)
    forged = [target, victim, f"{victim}:{scope}", f'{victim}","{scope}', f"name:{victim}"]

    assert all(Caller(attacker).scoped(text) not in (target, victim) for text in forged)


def test_a_request_that_was_never_admitted_has_no_tenant() -> None:
    with pytest.raises(RuntimeError, match="never admitted"):
        NOT_ADMITTED.scoped(None)
